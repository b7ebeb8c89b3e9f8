//! PURE: from the plan to where probes go that take the data path's way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use crate::{
    config::{Config, TargetGroup, TargetKey, Via},
    health::{Aim, Lead, vip_of},
    next_hop::NextHopState,
    plan::{Plan, TargetReport},
};

/// Where the probes of each target go whose check has `via: tunnel`.
pub(super) fn aims(
    config: &Config,
    plan: &Plan,
    next_hops: &BTreeMap<IpAddr, NextHopState>,
) -> BTreeMap<TargetKey, Aim> {
    let used: BTreeSet<&str> =
        config.listeners.iter().map(|listener| listener.target_group.as_str()).collect();
    let groups: HashMap<&str, &TargetGroup> = config
        .target_groups
        .iter()
        .filter(|group| group.health_check.via == Via::Tunnel && used.contains(&*group.name))
        .map(|group| (group.name.as_str(), group))
        .collect();
    if groups.is_empty() {
        return BTreeMap::new();
    }
    let aim = |report: &TargetReport| {
        let group = groups.get(report.key.group.as_str())?;
        let port = group.health_check.port.unwrap_or(report.key.port);
        let vip = vip_of(config, group, port)?;
        Some((report.key.clone(), Aim { vip, lead: lead(report, plan, next_hops) }))
    };
    plan.targets.iter().filter_map(aim).collect()
}

fn lead(report: &TargetReport, plan: &Plan, next_hops: &BTreeMap<IpAddr, NextHopState>) -> Lead {
    let address = report.key.address;
    match (plan.tables.targets.get(&report.id), next_hops.get(&address)) {
        (Some(entry), _) if entry.is_resolved() => Lead::Entry(Box::new(*entry)),
        (_, None) => Lead::Pending(format!("the next hop of {address} is still being looked up")),
        (_, Some(NextHopState::Asking(why))) => Lead::Pending(why.clone()),
        (_, Some(NextHopState::Unresolved(why))) => Lead::Nowhere(why.clone()),
        // Known, but of no use to the mode: the plan says why.
        (_, Some(NextHopState::Resolved(_))) => Lead::Nowhere(report.detail.clone()),
    }
}
