//! PURE: the probe paths of checks with `via: tunnel`, from the plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lb_config::{Config, TargetGroup, TargetKey, Via};
use lb_health::{ProbePath, ProbeRoute, vip_of};
use lb_plan::{NextHopState, NextHops, Plan, TargetReport};

/// The probe path of each target whose check has `via: tunnel`.
pub(super) fn probe_paths(
    config: &Config,
    plan: &Plan,
    next_hops: &NextHops,
) -> BTreeMap<TargetKey, ProbePath> {
    let used: BTreeSet<&str> =
        config.listeners.iter().flat_map(|listener| listener.target_groups()).collect();
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
        Some((report.key.clone(), ProbePath { vip, route: route(report, plan, next_hops) }))
    };
    plan.targets.iter().filter_map(aim).collect()
}

fn route(report: &TargetReport, plan: &Plan, next_hops: &NextHops) -> ProbeRoute {
    let address = report.key.address;
    match (plan.tables.targets.get(&report.id), next_hops.get(&address)) {
        (Some(entry), _) if entry.is_resolved() => ProbeRoute::Entry(Box::new(*entry)),
        (_, None) => {
            ProbeRoute::Pending(format!("the next hop of {address} is still being looked up"))
        }
        (_, Some(NextHopState::Asking(why))) => ProbeRoute::Pending(why.clone()),
        (_, Some(NextHopState::Unresolved(why))) => ProbeRoute::Nowhere(why.clone()),
        // Known, but of no use to the mode: the plan says why.
        (_, Some(NextHopState::Resolved(_))) => ProbeRoute::Nowhere(report.detail.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use lb_common::{Target, target::TargetState};
    use lb_config as config;
    use lb_plan::NextHop;

    use super::*;

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

    /// The probe paths with an entry of these flags and this next hop.
    fn paths_of(flags: u16, hop: Option<NextHopState>) -> BTreeMap<TargetKey, ProbePath> {
        let config = config::parse(CONFIG, "").unwrap().1;
        let mut plan = Plan::default();
        Arc::make_mut(&mut plan.tables).targets.insert(1, Target { flags, ..Target::default() });
        let reports = [report("web", 1), report("unused", 2), report("plain", 3)];
        plan.targets = reports.into_iter().collect();
        let next_hops = hop.map(|hop| (IpAddr::from([10, 0, 0, 1]), hop));
        probe_paths(&config, &plan, &next_hops.into_iter().collect())
    }

    #[test]
    fn only_used_groups_that_want_it_are_aimed_at() {
        let probe_paths = paths_of(Target::VALID | Target::RESOLVED, None);
        let seen: Vec<_> =
            probe_paths.iter().map(|(key, aim)| (&*key.group, aim.vip.to_string())).collect();
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
            (None, ProbeRoute::Pending(text("the next hop of 10.0.0.1 is still being looked up"))),
            (Some(NextHopState::Asking(text("asking"))), ProbeRoute::Pending(text("asking"))),
            (
                Some(NextHopState::Unresolved(text("no route"))),
                ProbeRoute::Nowhere(text("no route")),
            ),
            (Some(NextHopState::Resolved(hop)), ProbeRoute::Nowhere(text("behind a router"))),
        ];
        for (hop, expected) in cases {
            let probe_paths = paths_of(Target::VALID, hop);
            assert_eq!(probe_paths.values().next().unwrap().route, expected);
        }
        let probe_paths = paths_of(Target::VALID | Target::RESOLVED, None);
        assert!(matches!(probe_paths.values().next().unwrap().route, ProbeRoute::Entry(_)));
    }
}
