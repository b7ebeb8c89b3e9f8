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

use super::{
    error::At,
    model::{Config, Listener, TargetGroup},
    read::{GroupPlaces, Places},
    section::{Findings, nearest},
};
use crate::maglev;

/// Finds everything that is wrong with the whole.
pub(super) fn check(config: &Config, places: &Places, findings: &Findings) {
    interfaces(config, places, findings);
    groups(config, places, findings);
    listeners(config, places, findings);
    loops(config, places, findings);
    limits(config, places, findings);
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
    for (group, place) in config.target_groups.iter().zip(&places.groups) {
        let keys = group.targets.iter().map(|target| SocketAddr::new(target.address, target.port));
        doubles(keys.zip(&place.targets), |key, at| {
            findings.error(at, format!("target {key} is in the group {} twice", group.name));
        });
        if group.targets.is_empty() {
            findings.warn(
                &place.at,
                format!("target group {} has no targets: its packets are dropped", group.name),
            );
        } else if group.targets.iter().all(|target| target.weight == 0) {
            let name = &group.name;
            let message = format!("all targets of {name} have weight 0: its packets are dropped");
            findings.warn(&place.at, message);
        }
    }
}

fn listeners(config: &Config, places: &Places, findings: &Findings) {
    let all = || config.listeners.iter().zip(&places.listeners);
    doubles(all().map(|(listener, place)| (&listener.name, &place.at)), |name, at| {
        findings.error(at, format!("there are two listeners named {name}"));
    });
    let keys = all().map(|(one, place)| ((one.address, one.port, one.protocol), (one, &place.at)));
    doubles(keys, |(address, port, protocol), (listener, at)| {
        let vip = SocketAddr::new(*address, *port);
        let message = format!("{protocol} {vip} of listener {} is taken already", listener.name);
        findings.error(at, message);
    });
    let groups: BTreeMap<&str, usize> = config
        .target_groups
        .iter()
        .enumerate()
        // Of two with one name the first is meant.
        .rev()
        .map(|(index, group)| (group.name.as_str(), index))
        .collect();
    for (listener, place) in all() {
        // Thousands of listeners on thousands of targets: enough errors are enough.
        if findings.full() {
            return;
        }
        match groups
            .get(listener.target_group.as_str())
            .and_then(|index| Some((config.target_groups.get(*index)?, places.groups.get(*index)?)))
        {
            Some((group, group_place)) => {
                together(listener, &place.at, group, group_place, findings);
            }
            None if places.group_missing => {}
            None => dangling(&listener.target_group, &place.target_group, &groups, findings),
        }
    }
}

/// No target has the address of a listener: its packets would come back here for ever.
fn loops(config: &Config, places: &Places, findings: &Findings) {
    let vips: BTreeSet<IpAddr> = config.listeners.iter().map(|one| one.address).collect();
    for (group, place) in config.target_groups.iter().zip(&places.groups) {
        for (target, at) in group.targets.iter().zip(&place.targets) {
            if vips.contains(&target.address) {
                let message =
                    format!("{} is the address of a listener, not of a server", target.address);
                findings.error(at, message);
            }
        }
    }
}

fn dangling(name: &str, at: &At, groups: &BTreeMap<&str, usize>, findings: &Findings) {
    let names: Vec<&str> = groups.keys().copied().collect();
    let hint = match nearest(name, &names) {
        Some(known) => format!("; did you mean {known}?"),
        None if names.is_empty() => "; there are none".to_owned(),
        None if names.len() == 1 => format!("; there is only {}", some_of(&names)),
        None => format!("; there are {}", some_of(&names)),
    };
    findings.error(at, format!("there is no target group {name}{hint}"));
}

/// The first few of many names.
fn some_of(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = names.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A listener and the group that it forwards to.
fn together(
    listener: &Listener,
    at: &At,
    group: &TargetGroup,
    place: &GroupPlaces,
    findings: &Findings,
) {
    if listener.protocol != group.protocol {
        let message = format!(
            "listener {} is {}, its target group {} is {}",
            listener.name, listener.protocol, group.name, group.protocol
        );
        findings.error(at, message);
    }
    let mut inherited = false;
    for (target, target_at) in group.targets.iter().zip(&place.targets) {
        // A port that comes from the group is one mistake, however many targets have it.
        if target.port != listener.port {
            if target.port == group.port {
                inherited = true;
            } else {
                findings.error(target_at, other_port(target.port, listener, group));
            }
        }
        if group.forwarding == Mode::L2dsr
            && Family::from(&target.address) != Family::from(&listener.address)
        {
            let message = format!(
                "{} is of another family than {} of listener {}: l2dsr does not change packets",
                target.address, listener.address, listener.name
            );
            findings.error(target_at, message);
        }
    }
    if inherited {
        findings.error(&place.port, other_port(group.port, listener, group));
    }
}

fn other_port(port: u16, listener: &Listener, group: &TargetGroup) -> String {
    format!(
        "port {port} is not port {} of listener {}: forwarding {} cannot translate ports",
        listener.port,
        listener.name,
        group.forwarding.name()
    )
}

fn limits(config: &Config, places: &Places, findings: &Findings) {
    let targets = config.target_groups.iter().map(|group| group.targets.len());
    let used: BTreeSet<&str> =
        config.listeners.iter().map(|listener| listener.target_group.as_str()).collect();
    let rings = config
        .target_groups
        .iter()
        .filter(|group| used.contains(group.name.as_str()) && !group.targets.is_empty())
        .map(|group| 1 << maglev::ring_bits(group.targets.len(), None));
    let (groups, listeners) = (&places.all_groups, &places.all_listeners);
    for (at, what, count, max) in [
        (listeners, "listeners", config.listeners.len(), LISTENERS_MAX),
        (groups, "target groups", config.target_groups.len(), GROUPS_MAX - 1),
        (groups, "targets", targets.sum(), TARGETS_MAX - 1),
        (groups, "slots of their rings", rings.sum(), RING_SLOTS_MAX),
    ] {
        if count > max {
            findings.error(at, format!("{count} {what} are more than the {max} that fit"));
        }
    }
}
