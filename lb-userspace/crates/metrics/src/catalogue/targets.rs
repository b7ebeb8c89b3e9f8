//! PURE: metrics of target groups and of their targets' states.

use std::{collections::BTreeMap, fmt};

use lb_agent::{TargetView, state_name};
use lb_common::target::TargetState;

use crate::{
    Observation,
    family::{
        Family,
        Kind::{Gauge, Info},
        Samples,
    },
};

/// The states of a target, by name.
const STATES: [&str; 5] = [
    state_name(TargetState::Initial),
    state_name(TargetState::Healthy),
    state_name(TargetState::Unhealthy),
    state_name(TargetState::Draining),
    state_name(TargetState::Unused),
];

/// Targets with their label.
fn labelled(seen: &Observation) -> impl Iterator<Item = (&TargetView, &str)> {
    seen.snapshot.targets.iter().zip(seen.targets.iter().map(String::as_str))
}

/// How many targets of each group are in each state. One walk over all targets, which may be many.
fn count_states(seen: &Observation, out: &mut Samples<'_>) -> fmt::Result {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for target in &seen.snapshot.targets {
        *counts.entry((&target.group, &target.state)).or_default() += 1;
    }
    seen.snapshot.target_groups.iter().try_for_each(|group| {
        STATES.iter().try_for_each(|state| {
            let count = counts.get(&(group.name.as_str(), *state)).copied();
            out.add(&[&group.name, state], count.unwrap_or_default())
        })
    })
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "xelb_target_group_info",
        kind: Info,
        labels: &["group", "protocol", "forwarding"],
        help: "Protocol and forwarding mode of a target group.",
        samples: |seen, out| {
            seen.snapshot.target_groups.iter().try_for_each(|group| {
                out.add(&[&group.name, &group.protocol, &group.forwarding], true)
            })
        },
    },
    Family {
        name: "xelb_target_group_targets",
        kind: Gauge,
        labels: &["group", "state"],
        help: "Targets of a group that are in a state.",
        samples: count_states,
    },
    Family {
        name: "xelb_target_group_fail_open",
        kind: Gauge,
        labels: &["group"],
        help: "1 when unhealthy targets are used because too few are healthy.",
        samples: |seen, out| {
            let mut groups = seen.snapshot.target_groups.iter();
            groups.try_for_each(|group| out.add(&[&group.name], group.fail_open))
        },
    },
    Family {
        name: "xelb_target_group_ring_slots",
        kind: Gauge,
        labels: &["group"],
        help: "Slots of a group's ring; 0 without a ring.",
        samples: |seen, out| {
            let mut groups = seen.snapshot.target_groups.iter();
            groups.try_for_each(|group| out.add(&[&group.name], group.ring_slots))
        },
    },
    Family {
        name: "xelb_target_state",
        kind: Gauge,
        labels: &["group", "target", "state"],
        help: "1 for the state that a target is in, 0 for the others.",
        samples: |seen, out| {
            labelled(seen).try_for_each(|(target, label)| {
                STATES.iter().try_for_each(|state| {
                    out.add(&[&target.group, label, state], target.state == *state)
                })
            })
        },
    },
    Family {
        name: "xelb_target_reason",
        kind: Gauge,
        labels: &["group", "target", "reason"],
        help: "1 for ELB's reason code of a target's state; absent when it has none.",
        samples: |seen, out| {
            let mut with_reason = labelled(seen).filter(|(target, _)| !target.reason.is_empty());
            with_reason.try_for_each(|(target, label)| {
                out.add(&[&target.group, label, &target.reason], true)
            })
        },
    },
    Family {
        name: "xelb_target_weight",
        kind: Gauge,
        labels: &["group", "target"],
        help: "Weight of a target as configured.",
        samples: |seen, out| {
            labelled(seen)
                .try_for_each(|(target, label)| out.add(&[&target.group, label], target.weight))
        },
    },
    Family {
        name: "xelb_target_share_ratio",
        kind: Gauge,
        labels: &["group", "target"],
        help: "Part of its group's new flows that a target gets, 0 to 1.",
        samples: |seen, out| {
            labelled(seen)
                .try_for_each(|(target, label)| out.add(&[&target.group, label], target.share))
        },
    },
    Family {
        name: "xelb_target_drained",
        kind: Gauge,
        labels: &["group", "target"],
        help: "1 for a target that is drained by `xelb target drain`; absent for others.",
        samples: |seen, out| {
            labelled(seen)
                .filter(|(target, _)| target.drained)
                .try_for_each(|(target, label)| out.add(&[&target.group, label], true))
        },
    },
    Family {
        name: "xelb_target_leaving",
        kind: Gauge,
        labels: &["group", "target"],
        help: "1 for a target that has been removed and finishes its flows; absent for others.",
        samples: |seen, out| {
            labelled(seen)
                .filter(|(target, _)| target.leaving)
                .try_for_each(|(target, label)| out.add(&[&target.group, label], true))
        },
    },
    Family {
        name: "xelb_target_keeps_flows_seconds",
        kind: Gauge,
        labels: &["group", "target"],
        help: "Remaining time for which a target without new flows keeps its flows; absent for \
               others.",
        samples: |seen, out| {
            labelled(seen).try_for_each(|(target, label)| {
                let left = target.keeps_flows_for;
                left.map_or(Ok(()), |left| out.add(&[&target.group, label], left))
            })
        },
    },
];
