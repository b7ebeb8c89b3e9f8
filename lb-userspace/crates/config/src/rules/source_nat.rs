//! The balancer's own addresses, and the groups that need them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::{Family, target::Mode};

use super::{addresses::Vips, doubles};
use crate::{
    model::{Config, TargetGroup},
    positions::{GroupPositions, Positions},
    section::Findings,
};

pub(super) fn check(config: &Config, places: &Positions, vips: &Vips<'_>, findings: &Findings) {
    let sources = config.source_nat.as_ref().map_or(&[][..], |source| &source.addresses);
    let all = || sources.iter().zip(&places.sources);
    doubles(all(), |address, at, _| {
        findings.error(at, format!("source address {address} is named twice"));
    });
    let mut targets: BTreeMap<IpAddr, &str> = BTreeMap::new();
    let groups = config.target_groups.iter().filter(|_| !sources.is_empty());
    for group in groups {
        for target in &group.targets {
            targets.entry(target.address).or_insert(&group.name);
        }
    }
    for (address, at) in all() {
        let whose = if let Some(listener) = vips.owner(*address) {
            format!("listener {}", listener.name)
        } else if let Some(group) = targets.get(address) {
            format!("a target of group {group}")
        } else {
            continue;
        };
        let message =
            format!("{address} belongs to {whose}; use an address that only the balancer has");
        findings.error(at, message);
    }
    if !places.source_missing {
        for (group, place) in config.target_groups.iter().zip(&places.groups) {
            needed(group, place, sources, findings);
        }
    }
}

/// Each family of targets behind `fullnat` needs a source.
fn needed(group: &TargetGroup, place: &GroupPositions, sources: &[IpAddr], findings: &Findings) {
    if group.forwarding != Mode::Fullnat {
        return;
    }
    if sources.is_empty() {
        let message = "fullnat needs source addresses for packets to targets; for example \
                       `source_nat: { addresses: [10.0.0.2] }` at the top level";
        findings.error(&place.forwarding, message);
        return;
    }
    let has = |family| sources.iter().any(|source| Family::from(source) == family);
    let families: BTreeSet<bool> =
        group.targets.iter().map(|target| target.address.is_ipv6()).collect();
    for ipv6 in families {
        let (family, name) = if ipv6 { (Family::V6, "IPv6") } else { (Family::V4, "IPv4") };
        if !has(family) {
            let message = format!(
                "target group {} has {name} targets, and `source_nat` has no {name} address; add one",
                group.name
            );
            findings.error(&place.forwarding, message);
        }
    }
}
