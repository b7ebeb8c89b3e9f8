//! Listeners for themselves, and the groups that they name.

use std::collections::HashMap;

use lb_common::{ListenerKey, target::Mode};

use super::{
    cross_checks::together,
    group_names::{Group, GroupNames},
};
use crate::{
    error::At,
    listener_key,
    listener_table::first_overflow_alone,
    model::{Config, HttpGroupProtocol, HttpTargetGroup, Listener, Ports, TargetGroup},
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
        let own = (listener.target_group.as_str(), &place.target_group);
        let sorry = listener.sorry_target_group.as_deref().zip(place.sorry_target_group.as_ref());
        for (name, at) in [Some(own), sorry].into_iter().flatten() {
            match names.find(name) {
                Some(Group::Packets(index)) => {
                    if let (Some(group), Some(group_place)) =
                        (config.target_groups.get(index), places.groups.get(index))
                    {
                        together(listener, &place.at, group, group_place, findings);
                    }
                }
                Some(Group::Requests(index)) => {
                    if let Some(group) = config.http_target_groups.get(index) {
                        let message = not_for_packets(&listener.name, listener.protocol, group);
                        findings.error(at, message);
                    }
                }
                None if places.group_missing => {}
                None => findings.error(at, names.dangling(name)),
            }
        }
        if let Some((name, at)) = sorry {
            let group = |name| match names.find(name) {
                Some(Group::Packets(index)) => config.target_groups.get(index),
                _ => None,
            };
            if let (Some(own), Some(sorry)) = (group(&listener.target_group), group(name)) {
                sorry_group(own, sorry, at, findings);
            }
        }
    }
}

/// Whether a group may stand in for another: the listener goes there and back while connections are
/// open, which must not break.
fn sorry_group(own: &TargetGroup, sorry: &TargetGroup, at: &At, findings: &Findings) {
    if own.name == sorry.name {
        let message = format!("is target group {} itself; name another one", own.name);
        return findings.error(at, message);
    }
    let translates = |group: &TargetGroup| matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    if translates(own) != translates(sorry) {
        let message = format!(
            "target group {} is {}, and {} is {}: a listener cannot go between modes that translate \
             and modes that do not without breaking connections",
            sorry.name,
            sorry.forwarding.name(),
            own.name,
            own.forwarding.name()
        );
        findings.error(at, message);
    }
    if own.life.stickiness != sorry.life.stickiness {
        let message = format!(
            "target groups {} and {} have different `stickiness`: a listener cannot go between them \
             without breaking connections",
            sorry.name, own.name
        );
        findings.error(at, message);
    }
}

/// The error of a listener that does not look into what it forwards, and a group that wants requests.
pub(super) fn not_for_packets(
    listener: &str,
    protocol: impl std::fmt::Display,
    group: &HttpTargetGroup,
) -> String {
    let HttpTargetGroup { name, protocol: other, .. } = group;
    if *other == HttpGroupProtocol::Tcp {
        return format!(
            "listener {listener} is {protocol}, and its target group {name} has no `forwarding`: say \
             there how packets reach its targets, such as `forwarding: ipip`"
        );
    }
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
