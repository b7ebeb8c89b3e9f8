//! PURE: from the plan to where probes go that take the data path's way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    config::{Config, TargetGroup, TargetKey, Via},
    health::{Aim, Lead, vip_of},
    next_hop::{NextHopState, NextHops},
    plan::{Plan, TargetReport},
};

/// Where the probes of each target go whose check has `via: tunnel`.
pub(super) fn aims(config: &Config, plan: &Plan, next_hops: &NextHops) -> BTreeMap<TargetKey, Aim> {
    let used: BTreeSet<&str> =
        config.listeners.iter().map(|listener| listener.target_group.as_str()).collect();
    let groups: HashMap<&str, &TargetGroup> = config
        .target_groups
        .iter()
        .filter(|group| group.health_check.via == Via::Tunnel && used.contains(&*group.name))
        .map(|group| (&*group.name, &**group))
        .collect();
    if groups.is_empty() {
        return BTreeMap::new();
    }
    let aim = |report: &TargetReport| {
        let group = groups.get(&*report.key.group)?;
        let port = group.health_check.port.unwrap_or(report.key.port);
        let vip = vip_of(config, group, port)?;
        Some((report.key.clone(), Aim { vip, lead: lead(report, plan, next_hops) }))
    };
    plan.targets.iter().filter_map(aim).collect()
}

fn lead(report: &TargetReport, plan: &Plan, next_hops: &NextHops) -> Lead {
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

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use lb_common::{Target, target::TargetState};

    use super::*;
    use crate::{config, next_hop::NextHop};

    const CONFIG: &str = "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets: [{ address: 10.0.0.1 }]
    health_check: { via: tunnel, port: 8080 }
  - name: unused
    protocol: tcp
    port: 80
    forwarding: ipip
    targets: [{ address: 10.0.0.1 }]
    health_check: { via: tunnel }
  - name: plain
    protocol: tcp
    port: 80
    forwarding: ipip
    targets: [{ address: 10.0.0.1 }]
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
  - name: plain
    address: 203.0.113.11
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: plain } }
";

    fn report(group: &str, id: u16) -> TargetReport {
        TargetReport {
            key: TargetKey { group: group.into(), address: [10, 0, 0, 1].into(), port: 80 },
            id,
            weight: 100,
            state: TargetState::Initial,
            reason: None,
            detail: "behind a router".to_owned(),
            in_ring: false,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    /// The aims with an entry of these flags and this next hop.
    fn aims_of(flags: u16, hop: Option<NextHopState>) -> BTreeMap<TargetKey, Aim> {
        let config = config::parse(CONFIG, "").unwrap().1;
        let mut plan = Plan::default();
        Arc::make_mut(&mut plan.tables).targets.insert(1, Target { flags, ..Target::default() });
        let reports = [report("web", 1), report("unused", 2), report("plain", 3)];
        plan.targets = reports.into_iter().collect();
        let hops = hop.map(|hop| (IpAddr::from([10, 0, 0, 1]), hop));
        aims(&config, &plan, &hops.into_iter().collect())
    }

    #[test]
    fn only_used_groups_that_want_it_are_aimed_at() {
        let aims = aims_of(Target::VALID | Target::RESOLVED, None);
        let seen: Vec<_> =
            aims.iter().map(|(key, aim)| (&*key.group, aim.vip.to_string())).collect();
        assert_eq!(seen, [("web", "203.0.113.10:8080".to_owned())]);
    }

    #[test]
    fn the_lead_follows_the_next_hop() {
        let text = str::to_owned;
        let hop = NextHop {
            interface: 1,
            vlan: 0,
            source_mac: [0; 6],
            destination_mac: [0; 6],
            mtu: 1500,
            on_link: false,
        };
        let cases = [
            (None, Lead::Pending(text("the next hop of 10.0.0.1 is still being looked up"))),
            (Some(NextHopState::Asking(text("asking"))), Lead::Pending(text("asking"))),
            (Some(NextHopState::Unresolved(text("no route"))), Lead::Nowhere(text("no route"))),
            (Some(NextHopState::Resolved(hop)), Lead::Nowhere(text("behind a router"))),
        ];
        for (hop, expected) in cases {
            let aims = aims_of(Target::VALID, hop);
            assert_eq!(aims.values().next().unwrap().lead, expected);
        }
        let aims = aims_of(Target::VALID | Target::RESOLVED, None);
        assert!(matches!(aims.values().next().unwrap().lead, Lead::Entry(_)));
    }
}
