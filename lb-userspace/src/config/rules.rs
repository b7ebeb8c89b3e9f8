//! What the parts of a configuration mean together: references, doubles, limits. PURE.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use lb_common::{
    Family,
    limits::{GROUPS_MAX, LISTENERS_MAX, RING_SLOTS_MAX, TARGETS_MAX},
    target::Mode,
};

use crate::maglev;

use super::{
    error::At,
    model::{Config, Listener, TargetGroup},
    read::Places,
    section::{Findings, nearest},
};

/// Finds everything that is wrong with the whole.
pub(super) fn check(config: &Config, places: &Places, findings: &Findings) {
    interfaces(config, places, findings);
    groups(config, places, findings);
    listeners(config, places, findings);
    limits(config, findings);
}

/// Complains about the second of two things with the same key.
fn doubles<K: Ord, A>(items: impl Iterator<Item = (K, A)>, mut complain: impl FnMut(&K, A)) {
    let mut seen = BTreeSet::new();
    for (key, at) in items {
        if seen.contains(&key) {
            complain(&key, at);
        } else {
            seen.insert(key);
        }
    }
}

fn interfaces(config: &Config, places: &Places, findings: &Findings) {
    doubles(config.interfaces.iter().zip(&places.interfaces), |name, at| {
        findings.error(at, format!("interface {name} is named twice"));
    });
}

fn groups(config: &Config, places: &Places, findings: &Findings) {
    let named = config.target_groups.iter().map(|group| &group.name);
    doubles(named.zip(&places.groups), |name, group| {
        findings.error(&group.at, format!("there are two target groups named {name}"));
    });
    let vips: BTreeSet<IpAddr> = config.listeners.iter().map(|one| one.address).collect();
    for (group, place) in config.target_groups.iter().zip(&places.groups) {
        let keys = group.targets.iter().map(|target| SocketAddr::new(target.address, target.port));
        doubles(keys.zip(&place.targets), |key, at| {
            findings.error(at, format!("target {key} is in the group {} twice", group.name));
        });
        for (target, at) in group.targets.iter().zip(&place.targets) {
            if vips.contains(&target.address) {
                findings.error(at, format!("{} is the address of a listener", target.address));
            }
        }
        if group.targets.iter().all(|target| target.weight == 0) && !group.targets.is_empty() {
            let name = &group.name;
            findings
                .warn(&place.at, format!("all targets of {name} have weight 0: none gets traffic"));
        }
        if group.targets.is_empty() {
            findings.warn(
                &place.at,
                format!("target group {} has no targets: its packets are dropped", group.name),
            );
        }
    }
}

fn listeners(config: &Config, places: &Places, findings: &Findings) {
    let all = || config.listeners.iter().zip(&places.listeners);
    doubles(all().map(|(listener, at)| (&listener.name, at)), |name, at| {
        findings.error(at, format!("there are two listeners named {name}"));
    });
    let keys = all().map(|(one, at)| ((one.address, one.port, one.protocol), (one, at)));
    doubles(keys, |(address, port, protocol), (listener, at)| {
        let vip = SocketAddr::new(*address, *port);
        let message = format!("{protocol} {vip} of listener {} is taken already", listener.name);
        findings.error(at, message);
    });
    let groups: BTreeMap<&str, usize> = config
        .target_groups
        .iter()
        .enumerate()
        .map(|(index, group)| (group.name.as_str(), index))
        .collect();
    for (listener, at) in all() {
        match groups.get(listener.target_group.as_str()) {
            Some(index) => together(listener, at, *index, config, places, findings),
            None if places.broken_groups.contains(&listener.target_group) => {}
            None => dangling(listener, at, &groups, findings),
        }
    }
}

fn dangling(listener: &Listener, at: &At, groups: &BTreeMap<&str, usize>, findings: &Findings) {
    let names: Vec<&str> = groups.keys().copied().collect();
    let name = &listener.target_group;
    let hint = match nearest(name, &names) {
        Some(known) => format!("; did you mean {known}?"),
        None if names.is_empty() => String::new(),
        None => format!("; there are {}", names.join(", ")),
    };
    let at = At { path: format!("{}.default_action.forward.target_group", at.path), line: at.line };
    findings.error(&at, format!("there is no target group {name}{hint}"));
}

/// A listener and the group that it forwards to.
fn together(
    listener: &Listener,
    at: &At,
    index: usize,
    config: &Config,
    places: &Places,
    findings: &Findings,
) {
    let (Some(group), Some(place)) = (config.target_groups.get(index), places.groups.get(index))
    else {
        return;
    };
    if listener.protocol != group.protocol {
        findings.error(
            at,
            format!(
                "listener {} is {}, its target group {} is {}",
                listener.name, listener.protocol, group.name, group.protocol
            ),
        );
    }
    for (target, target_at) in group.targets.iter().zip(&place.targets) {
        if target.port != listener.port {
            findings.error(
                target_at,
                format!(
                    "port {} is not port {} of listener {}: forwarding {} cannot translate ports",
                    target.port,
                    listener.port,
                    listener.name,
                    mode(group)
                ),
            );
        }
        if group.forwarding == Mode::L2dsr
            && Family::from(&target.address) != Family::from(&listener.address)
        {
            findings.error(
                target_at,
                format!(
                    "{} is of another family than {} of listener {}: l2dsr does not change packets",
                    target.address, listener.address, listener.name
                ),
            );
        }
    }
}

const fn mode(group: &TargetGroup) -> &'static str {
    match group.forwarding {
        Mode::Ipip => "ipip",
        Mode::L2dsr => "l2dsr",
    }
}

fn limits(config: &Config, findings: &Findings) {
    let targets = config.target_groups.iter().map(|group| group.targets.len());
    let used: BTreeSet<&str> =
        config.listeners.iter().map(|listener| listener.target_group.as_str()).collect();
    let rings = config
        .target_groups
        .iter()
        .filter(|group| used.contains(group.name.as_str()) && !group.targets.is_empty())
        .map(|group| 1 << maglev::ring_bits(group.targets.len(), None));
    for (path, what, count, max) in [
        ("listeners", "listeners", config.listeners.len(), LISTENERS_MAX),
        ("target_groups", "target groups", config.target_groups.len(), GROUPS_MAX - 1),
        ("target_groups", "targets", targets.sum(), TARGETS_MAX - 1),
        ("target_groups", "slots of their rings", rings.sum(), RING_SLOTS_MAX),
    ] {
        if count > max {
            let at = At { path: path.to_owned(), line: 0 };
            findings.error(&at, format!("{count} {what} are more than the {max} that fit"));
        }
    }
}
