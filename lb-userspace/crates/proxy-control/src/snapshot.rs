//! From a configuration and the health of its targets to a snapshot of the proxy. Files of certificates are
//! read when a configuration is prepared, and not for each snapshot.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use lb_common::target::TargetState;
use lb_config::{Config, TargetKey};
use lb_health::{CheckSpec, certificate_end, expiry};
use lb_proxy::{Group, Listener, Snapshot, choice::Health};
use lb_rules::sticky::Keys;

use crate::{
    access_log::{Destinations, LogDestination, LogFile},
    groups::{self, PreparedGroup},
    listeners,
    tickets::Tickets,
    unservable::Unservable,
};

/// A configuration that can be served, with its certificates and compiled rules; at first, none.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    listeners: Vec<Listener>,
    groups: Vec<PreparedGroup>,
    logs: Destinations,
    /// Files of certificates of listeners, and when each ends, in seconds since 1970.
    certificates: BTreeMap<PathBuf, u64>,
}

impl Prepared {
    /// Reads certificates and compiles rules. `access_log` is for listeners without a log of their own. The
    /// error has everything that this version cannot serve.
    pub(crate) fn new(
        config: &Config,
        access_log: Option<&LogDestination>,
        tickets: &Tickets,
    ) -> Result<Self, Vec<Unservable>> {
        let mut faults = foreign_parts(config);
        let mut served = Vec::new();
        let (mut of_listeners, mut of_connections) = (HashMap::new(), HashMap::new());
        for listener in &config.http_listeners {
            let own = listener.attributes.access_log.as_ref();
            if let Some(log) = own {
                of_listeners.insert(listener.name.as_str().into(), destination(log));
            }
            if let Some(log) = &listener.attributes.connection_log {
                of_connections.insert(listener.name.as_str().into(), destination(log));
            }
            match listeners::prepare(listener, own.is_some() || access_log.is_some(), tickets) {
                Ok(listener) => served.push(listener),
                Err(reasons) => faults.extend(reasons),
            }
        }
        for listener in &config.tls_listeners {
            let own = listener.access_log.as_ref();
            if let Some(log) = own {
                of_listeners.insert(listener.name.as_str().into(), destination(log));
            }
            if let Some(log) = &listener.connection_log {
                of_connections.insert(listener.name.as_str().into(), destination(log));
            }
            match listeners::prepare_tls(listener, own.is_some() || access_log.is_some(), tickets) {
                Ok(listener) => served.push(listener),
                Err(reasons) => faults.extend(reasons),
            }
        }
        let mut prepared = Vec::new();
        for group in &config.http_target_groups {
            match groups::prepare(group) {
                Ok(group) => prepared.push(group),
                Err(reasons) => faults.extend(reasons),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        tickets.retain(|name| config.proxied_listeners().any(|listener| listener == name));
        let logs = Destinations { default: access_log.cloned(), of_listeners, of_connections };
        Ok(Self { listeners: served, groups: prepared, logs, certificates: certificates(config) })
    }

    /// What the proxy serves, by the health of targets; `None` is a target that is not checked yet.
    #[must_use]
    pub fn snapshot(
        &self,
        revision: u64,
        sticky_keys: &Keys,
        state: impl Fn(&TargetKey) -> Option<TargetState>,
    ) -> Snapshot {
        let groups = self.groups.iter().map(|PreparedGroup { group, checks }| {
            let mut group: Group = group.clone();
            for (target, check) in group.targets.iter_mut().zip(checks) {
                target.health = health(state(&check.target));
            }
            group
        });
        Snapshot {
            revision,
            listeners: self.listeners.clone(),
            groups: groups.collect(),
            sticky_keys: sticky_keys.clone(),
        }
    }

    /// How all targets are checked.
    #[must_use]
    pub fn checks(&self) -> Vec<CheckSpec> {
        self.groups.iter().flat_map(|group| group.checks.iter().cloned()).collect()
    }

    /// Listeners, in the order of the configuration.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Target groups, in the order of the configuration. Their targets have no health.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().map(|prepared| &prepared.group)
    }

    /// The same, each with the checks of its targets.
    pub(crate) fn checked_groups(&self) -> impl Iterator<Item = (&Group, &[CheckSpec])> {
        self.groups.iter().map(|prepared| (&prepared.group, prepared.checks.as_slice()))
    }

    /// Certificates of listeners that expire soon, or have expired, in words; `now` is in seconds since 1970.
    pub(crate) fn expiring(&self, now: u64) -> impl Iterator<Item = String> {
        self.certificates.iter().filter_map(move |(file, end)| {
            let (_, text) = expiry(*end, now)?;
            Some(format!("certificate {} {text}", file.display()))
        })
    }

    pub(crate) fn logs(&self) -> &Destinations {
        &self.logs
    }
}

fn destination(log: &lb_config::AccessLog) -> LogDestination {
    LogDestination { file: LogFile::Path(log.file.clone()), format: log.format }
}

/// When the certificates of all listeners end.
fn certificates(config: &Config) -> BTreeMap<PathBuf, u64> {
    let https = config.http_listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let tls = https.chain(config.tls_listeners.iter().map(|listener| &listener.tls));
    let files = tls.flat_map(|tls| &tls.certificates).map(|files| &files.certificate);
    files.filter_map(|file| Some((file.clone(), certificate_end(file).ok()?))).collect()
}

/// A target that is not checked yet is used only when its group fails open.
fn health(state: Option<TargetState>) -> Health {
    match state {
        Some(TargetState::Healthy) => Health::Healthy,
        Some(TargetState::Draining) => Health::Draining,
        Some(TargetState::Initial | TargetState::Unhealthy | TargetState::Unused) | None => {
            Health::Unhealthy
        }
    }
}

/// Parts that another process serves, or none does yet.
fn foreign_parts(config: &Config) -> Vec<Unservable> {
    let of_packets = "packets are forwarded by `xelb agent`: move it to the agent's file";
    let listeners = config.listeners.iter().map(|listener| Unservable::Listener {
        name: listener.name.clone(),
        reason: of_packets.to_owned(),
    });
    let groups = config.target_groups.iter().map(|group| Unservable::Group {
        name: group.name.to_string(),
        reason: of_packets.to_owned(),
    });
    listeners.chain(groups).collect()
}
