//! PURE: what is known once the new targets of a configuration are in service: the assumption of a
//! preview, which shows what a change comes to and not its first second.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use lb_common::target::TargetState;

use crate::{
    config::{Config, TargetKey},
    health::{Health, HealthTable},
    next_hop::{NextHop, NextHopState},
};

/// Inputs of a plan.
pub(super) struct Settled {
    pub(super) config: Config,
    pub(super) health: HealthTable,
    pub(super) next_hops: BTreeMap<IpAddr, NextHopState>,
}

/// Targets without a verdict are healthy, addresses that nobody has asked for are on the link, and
/// weights do not rise slowly.
pub(super) fn settle(
    config: &Config,
    health: &HealthTable,
    next_hops: &BTreeMap<IpAddr, NextHopState>,
) -> Settled {
    let mut settled =
        Settled { config: config.clone(), health: health.clone(), next_hops: next_hops.clone() };
    let hop = NextHop {
        interface: 1,
        vlan: 0,
        source_mac: [0; 6],
        destination_mac: [0; 6],
        mtu: 1500,
        on_link: true,
    };
    for group in &mut settled.config.target_groups {
        group.life.slow_start = Duration::ZERO;
        for target in &group.targets {
            let (address, port) = (target.address, target.port);
            let key = TargetKey { group: group.name.clone(), address, port };
            let verdict = settled.health.entry(key).or_insert_with(healthy);
            if verdict.state == TargetState::Initial {
                *verdict = healthy();
            }
            let next_hop = settled.next_hops.entry(address);
            next_hop.or_insert_with(|| NextHopState::Resolved(hop));
        }
    }
    settled
}

const fn healthy() -> Health {
    Health { state: TargetState::Healthy, reason: None, detail: String::new() }
}
