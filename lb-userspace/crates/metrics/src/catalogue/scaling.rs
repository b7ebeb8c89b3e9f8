//! PURE: metrics of scaled groups.

use std::fmt;

use lb_scaling::ScaledGroupView;

use crate::{
    Observation,
    family::{
        Family,
        Kind::{Counter, Gauge},
        Samples,
    },
};

/// A number of each scaled group.
fn of_groups<N: Into<u64>>(
    seen: &Observation,
    out: &mut Samples<'_>,
    number: impl Fn(&ScaledGroupView) -> N,
) -> fmt::Result {
    let mut groups = seen.snapshot.scaled_groups.iter();
    groups.try_for_each(|group| out.add(&[&group.name], number(group).into()))
}

fn members(seen: &Observation, out: &mut Samples<'_>) -> fmt::Result {
    seen.snapshot.scaled_groups.iter().try_for_each(|group| {
        let states = [
            ("in-service", group.in_service),
            ("pending", group.pending),
            ("terminating", group.terminating),
            ("standby", group.standby),
            ("warm", group.warm),
        ];
        states
            .into_iter()
            .try_for_each(|(state, count)| out.add(&[&group.name, state], u64::from(count)))
    })
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "xelb_scaling_desired_capacity",
        kind: Gauge,
        labels: &["group"],
        help: "Members that a scaled group should have.",
        samples: |seen, out| of_groups(seen, out, |group| group.desired),
    },
    Family {
        name: "xelb_scaling_min_capacity",
        kind: Gauge,
        labels: &["group"],
        help: "Fewest members of a scaled group now.",
        samples: |seen, out| of_groups(seen, out, |group| group.min),
    },
    Family {
        name: "xelb_scaling_max_capacity",
        kind: Gauge,
        labels: &["group"],
        help: "Most members of a scaled group now.",
        samples: |seen, out| of_groups(seen, out, |group| group.max),
    },
    Family {
        name: "xelb_scaling_members",
        kind: Gauge,
        labels: &["group", "state"],
        help: "Members of a scaled group that are in a state.",
        samples: members,
    },
    Family {
        name: "xelb_scaling_suspended_processes",
        kind: Gauge,
        labels: &["group"],
        help: "Suspended processes of a scaled group.",
        samples: |seen, out| of_groups(seen, out, |group| group.suspended.len() as u64),
    },
    Family {
        name: "xelb_scaling_decisions_total",
        kind: Counter,
        labels: &["group"],
        help: "Decisions about the capacity of a scaled group.",
        samples: |seen, out| of_groups(seen, out, |group| group.decisions),
    },
    Family {
        name: "xelb_scaling_failed_calls_total",
        kind: Counter,
        labels: &["group"],
        help: "Calls of the driver of a scaled group that failed.",
        samples: |seen, out| of_groups(seen, out, |group| group.failed_calls),
    },
];
