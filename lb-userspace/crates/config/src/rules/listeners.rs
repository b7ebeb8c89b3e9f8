//! Listeners for themselves, and the groups that they name.

use std::collections::HashMap;

use lb_common::ListenerKey;

use super::{cross_checks::together, doubles};
use crate::{
    error::At,
    listener_key,
    listener_table::first_overflow_alone,
    model::{Config, Listener, Ports},
    positions::Positions,
    section::{Findings, nearest},
};

/// Names, doubles, and the group of each.
pub(super) fn check(config: &Config, places: &Positions, findings: &Findings) {
    let all = || config.listeners.iter().zip(&places.listeners);
    doubles(all().map(|(listener, place)| (&listener.name, &place.at)), |name, at| {
        findings.error(at, format!("there are two listeners named {name}"));
    });
    let keys = all()
        .map(|(one, place)| ((one.address, one.ports, one.protocol.number()), (one, &place.at)));
    doubles(keys, |_, (listener, at)| {
        let (place, name) = (listens_on(listener), &listener.name);
        let message = format!("{place} of listener {name} is taken already");
        findings.error(at, message);
    });
    let exact: HashMap<ListenerKey, (&Listener, &At)> = all()
        .filter_map(|(listener, place)| Some((listener_key(listener)?, (&**listener, &place.at))))
        .collect();
    let mut keys: Vec<&ListenerKey> = exact.keys().collect();
    keys.sort_unstable();
    if let Some((listener, at)) = first_overflow_alone(keys).and_then(|key| exact.get(key)) {
        let place = listens_on(listener);
        let message = format!(
            "{place} does not fit the table of listeners: too many others have the same hash; use \
             another port or address"
        );
        findings.error(at, message);
    }
    let groups: HashMap<&str, usize> = config
        .target_groups
        .iter()
        .enumerate()
        // Of two with one name the first is meant.
        .rev()
        .map(|(index, group)| (&*group.name, index))
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

/// What a listener listens on, such as `tcp 203.0.113.10:80`.
pub(super) fn listens_on(listener: &Listener) -> String {
    let Listener { protocol, ports, .. } = listener;
    if let Some(vip) = listener.exact() {
        return format!("{protocol} {vip}");
    }
    let address = listener.shown_address();
    match *ports {
        Ports::ALL => format!("{protocol} {address} all ports"),
        ports if ports.single().is_some() => format!("{protocol} {address} port {ports}"),
        ports => format!("{protocol} {address} ports {ports}"),
    }
}

fn dangling(name: &str, at: &At, groups: &HashMap<&str, usize>, findings: &Findings) {
    let mut names: Vec<&str> = groups.keys().copied().collect();
    names.sort_unstable();
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
