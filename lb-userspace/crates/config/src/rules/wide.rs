//! Listeners on a prefix or on several ports: which of them may exist together.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use lb_common::limits::{WIDE_LISTENERS_MAX, WIDE_RANGES_MAX};

use super::listeners::listens_on;
use crate::{
    error::At,
    model::{Config, Listener},
    positions::Positions,
    section::Findings,
};

/// What they are, for messages.
pub(super) const NAME: &str = "listeners with a prefix or several ports";

pub(super) fn check(config: &Config, places: &Positions, findings: &Findings) {
    let all: Vec<(&Listener, &At)> = config
        .listeners
        .iter()
        .zip(&places.listeners)
        .map(|(listener, place)| (&**listener, &place.at))
        .filter(|(listener, _)| listener.exact().is_none())
        // More than these are an error of their own.
        .take(WIDE_LISTENERS_MAX)
        .collect();
    overlaps(&all, findings);
    covers(&all, findings);
}

/// A packet has one best listener: the exact one, else one with its very address, else one with its
/// prefix. Within the last two, no listener may overlap another.
fn overlaps(all: &[(&Listener, &At)], findings: &Findings) {
    for (index, (listener, at)) in all.iter().enumerate() {
        let mut before = all.iter().take(index).map(|(other, _)| *other);
        let Some(other) = before.find(|other| collide(other, listener)) else {
            continue;
        };
        // Duplicates have been reported.
        if (other.address, other.ports) == (listener.address, listener.ports) {
            continue;
        }
        let message = format!(
            "{} of listener {} overlaps {} of listener {}; keep their addresses or ports apart",
            listens_on(listener),
            listener.name,
            listens_on(other),
            other.name
        );
        findings.error(at, message);
    }
}

fn collide(one: &Listener, other: &Listener) -> bool {
    one.protocol.number() == other.protocol.number()
        && one.is_host() == other.is_host()
        && one.ports.overlaps(other.ports)
        && (one.address.contains(&other.address) || other.address.contains(&one.address))
}

/// The data path looks through all that cover an address.
fn covers(all: &[(&Listener, &At)], findings: &Findings) {
    let mut listeners: BTreeMap<IpNet, Vec<usize>> = BTreeMap::new();
    for (index, (listener, _)) in all.iter().enumerate() {
        listeners.entry(listener.address).or_default().push(index);
    }
    // Most listeners cover an innermost prefix, and each of those is a listener's.
    let mut reported = BTreeSet::new();
    for (inner, own) in &listeners {
        let outer = listeners.iter().filter(|(net, _)| net.contains(inner));
        let mut covering: Vec<usize> = outer.flat_map(|(_, indices)| indices).copied().collect();
        covering.sort_unstable();
        let excess = covering.get(WIDE_RANGES_MAX).copied();
        let shown = own.first().and_then(|index| all.get(*index));
        if let Some((shown, _)) = shown
            && let Some(index) = excess
            && let Some((_, at)) = all.get(index)
            && reported.insert(index)
        {
            let message = format!(
                "{} is covered by {} {NAME}, and {WIDE_RANGES_MAX} may cover an address; merge some",
                shown.shown_address(),
                covering.len()
            );
            findings.error(at, message);
        }
    }
}
