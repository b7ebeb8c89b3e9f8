//! PURE: what a new agent restores from the maps of the previous one.

use std::collections::BTreeSet;

use lb_common::{Family, Target, target::TargetState};
use lb_config::TargetKey;
use lb_plan::{Health, HealthTable, NextHop, NextHopState, NextHops, Reason, Tables};

/// What is known before the first probe and the first answer of netlink.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Verdicts.
    pub health: HealthTable,
    /// Targets that were draining.
    pub drained: BTreeSet<TargetKey>,
    /// Next hops.
    pub next_hops: NextHops,
}

/// Reads verdicts, drains and next hops back, so that a restart changes nothing.
#[must_use]
pub fn resume(tables: &Tables) -> Resumed {
    let mut resumed = Resumed::default();
    for target in tables.targets.values() {
        let Some(key) = key_of(target, tables) else {
            continue;
        };
        match TargetState::try_from(target.state) {
            Ok(TargetState::Draining) if target.flags & Target::LEAVING == 0 => {
                resumed.drained.insert(key);
            }
            Ok(state @ TargetState::Healthy) => {
                resumed.health.insert(key, Health { state, reason: None, detail: String::new() });
            }
            Ok(state @ TargetState::Unhealthy) => {
                let reason = Some(Reason::FailedHealthChecks);
                let detail = "unhealthy when the agent started".to_owned();
                resumed.health.insert(key, Health { state, reason, detail });
            }
            _ => {}
        }
        if let (true, Ok(family)) = (target.is_resolved(), Family::try_from(target.family)) {
            resumed.next_hops.insert(target.address.to_ip(family), next_hop_of(target));
        }
    }
    resumed
}

fn key_of(target: &Target, tables: &Tables) -> Option<TargetKey> {
    let family = Family::try_from(target.family).ok()?;
    Some(TargetKey {
        group: tables.groups.get(&target.group)?.name.clone(),
        address: target.address.to_ip(family),
        port: target.port.get(),
    })
}

fn next_hop_of(target: &Target) -> NextHopState {
    NextHopState::Resolved(NextHop {
        interface: target.interface,
        vlan: target.vlan.get(),
        source_mac: target.source_mac().octets(),
        destination_mac: target.destination_mac().octets(),
        mtu: target.mtu,
        // Netlink will tell; until then a target that was reached stays so.
        on_link: true,
    })
}
