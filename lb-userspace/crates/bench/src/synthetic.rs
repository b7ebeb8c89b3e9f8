//! PURE: the configuration that is measured, as one that a user could have written, and its tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use lb_common::{Be16, Family, ListenerKey, Mode, target::TargetState};
use lb_config::{self as config, Protocol, TargetKey};
use lb_plan::{self as plan, Cache, Health, Inputs, NextHop, NextHopState, Tables};
use serde_json::{Value, json};

use super::{
    BenchError,
    cases::{CASES, Case, FULLNAT_ADDRESSES, Memory},
};

/// Index of the loopback interface: TEST_RUN says that packets came in by it.
const LOOPBACK: u32 = 1;

/// Port of the listeners.
const PORT: u16 = 80;

/// Room for every tunnel's header.
const MTU: u16 = 1600;

/// The number of a case, which makes its addresses its own.
fn number(case: &Case) -> u8 {
    let position = CASES.iter().position(|other| other.name == case.name);
    u8::try_from(position.unwrap_or(0)).unwrap_or(u8::MAX)
}

fn vip(case: &Case) -> IpAddr {
    let number = number(case) + 1;
    match case.packets {
        Family::V4 => Ipv4Addr::new(203, 0, 113, number).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()).into(),
    }
}

/// The listener of a case.
pub(super) fn key(case: &Case) -> ListenerKey {
    let port = Be16::new(PORT);
    ListenerKey::new(case.packets, vip(case).into(), port, case.protocol.number())
}

/// The tables of a configuration with one listener and one group of healthy targets a case.
pub(super) fn tables(cases: &[Case], targets: u16) -> Result<Tables, BenchError> {
    let document = document(cases, targets).to_string();
    let (_, config, _) = config::parse(&document, "the configuration to measure")?;
    let healthy = Health { state: TargetState::Healthy, reason: None, detail: String::new() };
    let hop = NextHopState::Resolved(NextHop {
        interface: LOOPBACK,
        vlan: 0,
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 3],
        mtu: MTU,
        on_link: true,
    });
    let all = config.target_groups.iter().flat_map(|group| {
        let name = &group.name;
        group.targets.iter().map(move |target| (name, target.address, target.port))
    });
    let health = all.clone().map(|(group, address, port)| {
        (TargetKey { group: group.clone(), address, port }, healthy.clone())
    });
    let next_hops: BTreeMap<_, _> = all.clone().map(|(_, to, _)| (to, hop.clone())).collect();
    let plan = plan::compile(&Inputs {
        now: 1,
        idle_slots: &BTreeSet::new(),
        attached: &BTreeSet::new(),
        config: &config,
        health: &health.collect(),
        drained: &BTreeSet::new(),
        cut: &BTreeSet::new(),
        removed: &[],
        next_hops: &Arc::new(next_hops),
        previous: &Tables::default(),
        cache: &Cache::default(),
    })?;
    Ok((*plan.tables).clone())
}

fn document(cases: &[Case], targets: u16) -> Value {
    let groups = cases.iter().map(|case| {
        let addresses = (0..targets).map(|target| json!({ "address": address(case, target) }));
        json!({
            "name": case.name,
            "protocol": case.protocol.to_string(),
            "port": PORT,
            "forwarding": case.mode.name(),
            "targets": addresses.collect::<Vec<_>>(),
            // Nobody checks; but nothing else would be believed of UDP.
            "health_check": { "protocol": "tcp", "port": PORT },
        })
    });
    let listeners = cases.iter().map(|case| {
        let mut listener = json!({
            "name": case.name,
            "address": vip(case),
            "port": PORT,
            "protocol": case.protocol.to_string(),
            "default_action": { "forward": { "target_group": case.name } },
        });
        if case.protocol == Protocol::Udp && !case.memory.binds() {
            let flows = if case.memory == Memory::Tracked { "tracked" } else { "stateless" };
            listener["attributes"] = json!({ "udp_flows": flows });
        }
        listener
    });
    let mut document = json!({
        "interfaces": ["lo"],
        "target_groups": groups.collect::<Vec<_>>(),
        "listeners": listeners.collect::<Vec<_>>(),
    });
    if let Some(case) = cases.iter().find(|case| case.mode == Mode::Fullnat) {
        // The rate of new connections is one address's.
        let count = if case.memory == Memory::Whole { 1 } else { FULLNAT_ADDRESSES };
        let addresses = (1..).take(count).map(|number| own_address(case, number));
        document["source_nat"] = json!({ "addresses": addresses.collect::<Vec<_>>() });
    }
    document
}

/// Of the prefix for providers' own networks (RFC 6598), where no client is.
fn address(case: &Case, target: u16) -> IpAddr {
    let [high, low] = target.to_be_bytes();
    match case.targets {
        Family::V4 => Ipv4Addr::new(100, 64 + number(case), high, low).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, number(case).into(), 0, 0, 0, 0, 1, target).into(),
    }
}

/// The balancer's own in mode fullnat.
fn own_address(case: &Case, number: u8) -> IpAddr {
    match case.packets {
        Family::V4 => Ipv4Addr::new(192, 0, 2, number).into(),
        Family::V6 => Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, number.into()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer_under_test::share;

    #[test]
    fn every_case_has_a_listener_and_a_ring_of_all_its_targets() {
        for cases in share(CASES, 20) {
            let tables = tables(&cases, 20).unwrap();
            assert_eq!(tables.groups.len(), cases.len());
            for case in &cases {
                let listener = tables.listeners[&key(case)];
                let group = &tables.groups[&listener.group];
                let owners: BTreeSet<u16> = group.slots.iter().map(|slot| slot.current).collect();
                assert_eq!(owners.len(), 20, "{}", case.name);
                for owner in owners {
                    let target = tables.targets[&owner];
                    assert!(target.is_resolved() && target.family == case.targets as u8);
                }
            }
        }
    }
}
