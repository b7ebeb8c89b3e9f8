//! DNS names among the targets of groups, for themselves.

use super::doubles;
use crate::{
    error::At,
    model::{Config, HttpTargetGroup, NamedTarget, Verify},
    positions::Positions,
    section::Findings,
};

pub(super) fn check(config: &Config, places: &Positions, findings: &Findings) {
    for (group, place) in config.target_groups.iter().zip(&places.groups) {
        unique(&group.name, &group.names, &place.names, findings);
        let others = group.targets.iter().map(|target| target.weight);
        let group = (&*group.name, "its packets are dropped", &*group.names);
        weights(group, others, &place.at, findings);
    }
    for (group, place) in config.http_target_groups.iter().zip(&places.http_groups) {
        unique(&group.name, &group.names, &place.names, findings);
        let others = group.targets.iter().map(|target| target.weight);
        weights((&group.name, group.unserved(), &group.names), others, &place.at, findings);
        one_server_name(group, &place.at, findings);
    }
}

fn unique(group: &str, names: &[NamedTarget], places: &[At], findings: &Findings) {
    let keys = names.iter().map(|named| (&named.name, named.port));
    doubles(keys.zip(names.iter().zip(places)), |_, (named, at), _| {
        findings.error(at, format!("target {named} is in the group {group} twice"));
    });
}

/// Names and targets that all have weight 0; a group without names is looked at elsewhere.
fn weights(
    (name, harm, names): (&str, &str, &[NamedTarget]),
    others: impl Iterator<Item = u32>,
    at: &At,
    findings: &Findings,
) {
    let mut all = names.iter().map(|named| named.weight).chain(others);
    if !names.is_empty() && all.all(|weight| weight == 0) {
        findings.warn(at, format!("all targets of {name} have weight 0: {harm}"));
    }
}

/// The proxy verifies all certificates of a group by one name.
fn one_server_name(group: &HttpTargetGroup, at: &At, findings: &Findings) {
    let Some(tls) = &group.tls else { return };
    let first = group.names.first();
    let is_other = |named: &NamedTarget| first.is_some_and(|first| first.name != named.name);
    let is_mixed =
        first.is_some() && (group.names.iter().any(is_other) || !group.targets.is_empty());
    if is_mixed && tls.server_name.is_none() && tls.verify != Verify::None {
        let message = format!(
            "target group {} has a DNS name and other targets, and this version verifies all \
             certificates of a group by one name: set `tls.server_name`",
            group.name
        );
        findings.error(at, message);
    }
}
