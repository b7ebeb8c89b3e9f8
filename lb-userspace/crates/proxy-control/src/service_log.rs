//! What the process says of itself: its state in one line, its start, lost lines, and its end.

use std::time::SystemTime;

use lb_common::target::TargetState;
use lb_config::{TargetKey, plural::counted};
use lb_proxy::{Counter, ListenerProtocol, StopReport};
use tokio::sync::mpsc;

use crate::{
    agent_source::AgentSource,
    health::TargetStates,
    monitor::{GroupState, ListenerState, ProxyState},
    service::{Service, Signal, terminated},
};

/// Listeners, and target groups, that are named in the log at start.
const NAMED_MAX: usize = 20;

impl Service {
    /// The state in one line.
    pub(crate) fn status(&self) -> String {
        if self.agent.as_ref().is_some_and(AgentSource::waits) && self.refused.is_empty() {
            return "waiting for the agent".to_owned();
        }
        let (healthy, targets) = self.states.counts();
        let refused = if self.refused.is_empty() {
            ""
        } else {
            "; the last configuration was refused, see the log"
        };
        format!(
            "listeners: {}, target groups: {}, targets: {targets}, healthy: {healthy}{refused}",
            self.prepared.listeners().len(),
            self.prepared.groups().count()
        )
    }

    /// Says what is served. Before an agent has said anything, that is nothing.
    pub(crate) fn introduce(&self) {
        if self.agent.as_ref().is_some_and(AgentSource::waits) && self.reading.load.is_none() {
            return;
        }
        let file = self.reading.name.display();
        let (version, workers) = (env!("CARGO_PKG_VERSION"), self.options.workers);
        tracing::info!(
            "xelb proxy {version} serves {file} with {}",
            counted(workers as u64, "worker")
        );
        let listeners = self.prepared.listeners();
        for listener in listeners.iter().take(NAMED_MAX) {
            let scheme = if listener.tls.is_some() { "https" } else { "http" };
            let rules = counted(listener.rules.rules().rules().count() as u64, "rule");
            tracing::info!("listener {}: {scheme} at {}, {rules}", listener.name, listener.address);
            if !listener.attributes.proxy_protocol_sources.is_empty() {
                tracing::info!(
                    "listener {}: connections from its trusted_proxies must begin with a PROXY header",
                    listener.name
                );
            }
        }
        for group in self.prepared.groups().take(NAMED_MAX) {
            let targets = counted(group.targets.len() as u64, "target");
            tracing::info!("target group {}: {targets}", group.name);
        }
        let most = listeners.len().max(self.prepared.groups().count());
        if most > NAMED_MAX {
            tracing::info!("only the first {NAMED_MAX} listeners and target groups are named here");
        }
    }

    /// Shows what is served, if anybody looks.
    pub(crate) fn show(&self) {
        let Some(monitor) = &self.options.monitor else { return };
        let listeners = self.prepared.listeners().iter().map(|listener| ListenerState {
            name: listener.name.clone(),
            address: listener.address,
            protocol: match (listener.attributes.protocol, &listener.tls) {
                (ListenerProtocol::Tcp, _) => "tls",
                (ListenerProtocol::Http, Some(_)) => "https",
                (ListenerProtocol::Http, None) => "http",
            },
        });
        let groups = self.prepared.checked_groups().map(|(group, checks)| {
            let is_healthy = |target: &_| is_healthy(&self.states, target);
            let healthy = checks.iter().filter(|check| is_healthy(&check.target)).count();
            let targets = checks.iter().map(|check| &check.target);
            let drains =
                |target: &&TargetKey| self.states.state(target) == Some(TargetState::Draining);
            let draining = targets.filter(drains);
            let draining = draining.map(|target| (target.address, target.port).into()).collect();
            GroupState { name: group.name.clone(), targets: checks.len(), healthy, draining }
        });
        monitor.set_state(ProxyState {
            refused: !self.refused.is_empty(),
            lines_not_written: self.log.lost(),
            listeners: listeners.collect(),
            groups: groups.collect(),
        });
    }

    /// Says which certificates expire soon. An agent warns of that itself.
    pub(crate) fn report_expiring(&self) {
        if self.agent.is_some() {
            return;
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for line in self.prepared.expiring(now.as_secs()).take(NAMED_MAX) {
            tracing::warn!("{line}: renew it, then SIGHUP lets this process read it");
        }
    }

    /// Lines of the access log that nobody took in time, and those that could not be written.
    fn lost(&self) -> u64 {
        self.proxy.metrics().total.get(Counter::LostLogLines) + self.log.lost()
    }

    pub(crate) fn report_lost(&mut self) {
        let lost = self.lost();
        if lost > self.lost_reported {
            tracing::warn!("{} of the access log lost since the start", counted(lost, "line"));
            self.lost_reported = lost;
        }
    }

    pub(crate) async fn stop(self, signals: &mut mpsc::Receiver<Signal>) -> StopReport {
        let within = self.options.drain_timeout;
        tracing::info!("stopping: no new connections, requests may end within {within:?}");
        let not_taken = self.proxy.metrics().total.get(Counter::LostLogLines);
        let stop = self.proxy.stop(within);
        let report = tokio::select! {
            report = stop => report,
            () = terminated(signals) => {
                tracing::warn!("stopped at once by a second signal; open connections are cut");
                return StopReport::default();
            }
        };
        let lost = not_taken + self.log.finish().await;
        if lost > 0 {
            tracing::warn!("{} of the access log lost", counted(lost, "line"));
        }
        let StopReport { connections_cut, requests_cut } = report;
        if connections_cut == 0 {
            tracing::info!("stopped; no connection was cut");
        } else {
            tracing::warn!(
                "stopped; cut after {within:?}: {}, {requests_cut} of them with a request or tunnel",
                counted(connections_cut as u64, "connection")
            );
        }
        report
    }
}

fn is_healthy(states: &TargetStates, target: &TargetKey) -> bool {
    states.state(target) == Some(TargetState::Healthy)
}
