//! Rules across the parts of a configuration: references, duplicates, limits. PURE.

mod addresses;
mod cross_checks;
mod endpoints;
mod group_names;
mod http_groups;
mod http_listeners;
mod listeners;
mod names;
mod source_nat;
mod wide;

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    net::SocketAddr,
};

use lb_common::limits::WIDE_LISTENERS_MAX;

use super::{
    Limits,
    error::At,
    model::{Config, TargetGroup},
    positions::Positions,
    section::Findings,
};

/// Finds everything that is wrong with the whole.
pub(super) fn check(config: &Config, places: &Positions, within: &Limits, findings: &Findings) {
    interfaces(config, places, findings);
    groups(config, places, findings);
    http_groups::check(config, places, findings);
    names::check(config, places, findings);
    endpoints::check(config, places, findings);
    let names = group_names::GroupNames::of(config);
    listeners::check(config, places, &names, findings);
    http_listeners::check(config, places, &names, findings);
    wide::check(config, places, findings);
    let vips = addresses::Vips::of(config);
    addresses::check(config, places, &vips, findings);
    source_nat::check(config, places, &vips, findings);
    limits(config, places, within, findings);
}

/// Complains about the second of two things with the same key; the first is given, too.
fn doubles<K: Hash + Eq, A>(
    items: impl Iterator<Item = (K, A)>,
    mut complain: impl FnMut(&K, A, &A),
) {
    let mut seen = HashMap::with_capacity(items.size_hint().0);
    for (key, at) in items {
        match seen.entry(key) {
            Entry::Occupied(first) => complain(first.key(), at, first.get()),
            Entry::Vacant(place) => {
                place.insert(at);
            }
        }
    }
}

fn interfaces(config: &Config, places: &Positions, findings: &Findings) {
    doubles(config.interfaces.iter().zip(&places.interfaces), |name, at, _| {
        findings.error(at, format!("interface {name} is named twice"));
    });
}

fn groups(config: &Config, places: &Positions, findings: &Findings) {
    let of_packets = config.target_groups.iter().map(|group| &group.name);
    let of_packets = of_packets.zip(places.groups.iter().map(|place| (place.index, &place.at)));
    let of_requests = config.http_target_groups.iter().map(|group| &group.name);
    let of_requests =
        of_requests.zip(places.http_groups.iter().map(|place| (place.index, &place.at)));
    let mut named: Vec<_> = of_packets.chain(of_requests).collect();
    named.sort_unstable_by_key(|(_, (index, _))| *index);
    doubles(named.into_iter(), |name, (_, at), (_, other)| {
        let other = findings.elsewhere(at, other);
        findings.error(at, format!("there are two target groups named {name}{other}"));
    });
    for (group, place) in config.target_groups.iter().zip(&places.groups) {
        let keys = group.targets.iter().map(|target| SocketAddr::new(target.address, target.port));
        doubles(keys.zip(&place.targets), |key, at, _| {
            findings.error(at, format!("target {key} is in the group {} twice", group.name));
        });
        let (least, has) = (group.life.minimum_healthy.count, group.targets.len());
        if group.scaling.is_some() || !group.names.is_empty() {
            // Its members are not known here, nor are the addresses of names.
            continue;
        }
        if least > 1 && usize::try_from(least).is_ok_and(|least| least > has) {
            let message = format!(
                "minimum_healthy_targets of {} is {least}, and it has {has} targets: unhealthy \
                 targets are always used",
                group.name
            );
            findings.warn(&place.at, message);
        }
        backups(group, &place.at, findings);
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

/// Backups and a quorum that do something else than one may think.
fn backups(group: &TargetGroup, at: &At, findings: &Findings) {
    let (name, all) = (&group.name, group.targets.len());
    let backups = group.targets.iter().filter(|target| target.backup).count();
    if backups > 0 && backups == all {
        let message =
            format!("all targets of {name} are backups: they are used as if none of them were");
        findings.warn(at, message);
    }
    if backups == 0 && group.life.backup_threshold > 1 {
        let message = format!("backup_threshold of {name} does nothing: it has no backup targets");
        findings.warn(at, message);
    }
    let quorum = usize::try_from(group.life.quorum).unwrap_or(usize::MAX);
    if quorum > all && all > 0 {
        let message =
            format!("quorum of {name} is {quorum}, and it has {all} targets: none is ever used");
        findings.warn(at, message);
    }
}

fn limits(config: &Config, places: &Positions, limits: &Limits, findings: &Findings) {
    // What the lists of the document have was counted before they were read.
    for exceeded in limits.exceeded_by(Limits::use_of(config)) {
        let of_listeners = exceeded.is_of_listeners();
        let at = if of_listeners { &places.all_listeners } else { &places.all_groups };
        findings.error(at, exceeded.message());
    }
    let wide = config.listeners.iter().filter(|listener| listener.exact().is_none()).count();
    if wide > WIDE_LISTENERS_MAX {
        let message = format!(
            "{wide} {} are more than the {WIDE_LISTENERS_MAX} that this version supports",
            wide::NAME
        );
        findings.error(&places.all_listeners, message);
    }
}
