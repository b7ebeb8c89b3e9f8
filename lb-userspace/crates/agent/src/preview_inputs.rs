//! PURE: what is known once the new targets of a configuration are in service: the assumption of a
//! preview, which shows what a change comes to and not its first second.

use std::{sync::Arc, time::Duration};

use lb_common::target::TargetState;
use lb_config::{Config, TargetKey};
use lb_plan::{Health, HealthTable, NextHop, NextHopState, NextHops};

/// Inputs of a plan.
pub(super) struct PreviewInputs {
    pub(super) config: Config,
    pub(super) health: HealthTable,
    pub(super) next_hops: Arc<NextHops>,
}

/// Targets without a verdict count as healthy, addresses without a lookup count as on the link, and
/// there is no slow start.
pub(super) fn steady(
    config: &Config,
    health: &HealthTable,
    next_hops: &Arc<NextHops>,
) -> PreviewInputs {
    let next_hops = Arc::clone(next_hops);
    let mut steady = PreviewInputs { config: config.clone(), health: health.clone(), next_hops };
    let hop = NextHop {
        interface: 1,
        vlan: 0,
        source_mac: [0; 6],
        destination_mac: [0; 6],
        mtu: 1500,
        on_link: true,
    };
    for group in &mut steady.config.target_groups {
        if !group.life.slow_start.is_zero() {
            Arc::make_mut(group).life.slow_start = Duration::ZERO;
        }
        for target in &group.targets {
            let (address, port) = (target.address, target.port);
            let key = TargetKey { group: group.name.clone(), address, port };
            let verdict = steady.health.get(&key);
            if verdict.is_none_or(|verdict| verdict.state == TargetState::Initial) {
                steady.health.insert(key, healthy());
            }
            if !steady.next_hops.contains_key(&address) {
                let hop = NextHopState::Resolved(hop);
                Arc::make_mut(&mut steady.next_hops).insert(address, hop);
            }
        }
    }
    steady
}

const fn healthy() -> Health {
    Health { state: TargetState::Healthy, reason: None, detail: String::new() }
}
