//! Listeners for themselves, and the groups that they name.

use std::collections::HashMap;

use lb_common::ListenerKey;

use super::{
    cross_checks::together,
    group_names::{Group, GroupNames},
};
use crate::{
    error::At,
    listener_key,
    listener_table::first_overflow_alone,
    model::{Config, HttpTargetGroup, Listener, Ports},
    positions::Positions,
    section::Findings,
};

/// Whether they fit the table, and the group of each.
pub(super) fn check(
    config: &Config,
    places: &Positions,
    names: &GroupNames<'_>,
    findings: &Findings,
) {
    let all = || config.listeners.iter().zip(&places.listeners);
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
    for (listener, place) in all() {
        // Thousands of listeners on thousands of targets: enough errors are enough.
        if findings.full() {
            return;
        }
        let at = &place.target_group;
        match names.find(&listener.target_group) {
            Some(Group::Packets(index)) => {
                if let (Some(group), Some(group_place)) =
                    (config.target_groups.get(index), places.groups.get(index))
                {
                    together(listener, &place.at, group, group_place, findings);
                }
            }
            Some(Group::Requests(index)) => {
                if let Some(group) = config.http_target_groups.get(index) {
                    findings.error(at, not_for_packets(&listener.name, listener.protocol, group));
                }
            }
            None if places.group_missing => {}
            None => findings.error(at, names.dangling(&listener.target_group)),
        }
    }
}

/// The error of a listener that does not look into what it forwards, and a group that wants requests.
pub(super) fn not_for_packets(
    listener: &str,
    protocol: impl std::fmt::Display,
    group: &HttpTargetGroup,
) -> String {
    let HttpTargetGroup { name, protocol: other, .. } = group;
    format!(
        "listener {listener} is {protocol}, its target group {name} is {other}: requests need a \
         listener of http or https"
    )
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
