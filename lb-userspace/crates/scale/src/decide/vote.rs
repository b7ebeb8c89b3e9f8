//! PURE: what a policy wants, in each direction. How it comes to that is in `tracking`, `step` and
//! `simple`.

use std::time::Duration;

use crate::{
    decision::{Ask, Input},
    policy::Policy,
    sample::Sample,
};

/// What a policy wants.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) input: Input,
    /// The capacity that it raises to.
    pub(super) out: Option<u32>,
    /// How far it lets others scale in.
    pub(super) floor: Floor,
    /// Whether it asks for scale-in by itself.
    pub(super) proposes: bool,
    /// Whether an adjustment starts a cooldown.
    pub(super) cools_down: Option<Duration>,
}

/// How far a policy lets others scale in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Floor {
    /// To so many targets' worth of work, outside the dead band.
    Work(f64),
    /// To a capacity.
    Capacity(u32),
    /// It has no say.
    Abstain,
    /// Not at all: its input is unknown.
    Unknown,
}

impl Vote {
    /// The vote of a policy whose sample is empty or an error.
    pub(super) fn unknown(policy: &Policy, metric: &str, sample: Sample) -> Self {
        Self {
            input: Self::input(policy, metric, sample, Ask::Unknown),
            out: None,
            floor: Floor::Unknown,
            proposes: false,
            cools_down: None,
        }
    }

    /// A vote for a capacity: out if it is more than now, in if it is less.
    pub(super) fn capacity(policy: &Policy, metric: &str, value: f64, to: u32, now: u32) -> Self {
        Self {
            input: Self::input(policy, metric, Sample::Value(value), Ask::Capacity(to)),
            out: (to > now).then_some(to),
            floor: Floor::Capacity(to),
            proposes: to < now,
            cools_down: None,
        }
    }

    /// A vote for no change. A policy that can scale in keeps others from doing so.
    pub(super) fn no_change(
        policy: &Policy,
        metric: &str,
        value: f64,
        ask: Ask,
        floor: Floor,
    ) -> Self {
        Self {
            input: Self::input(policy, metric, Sample::Value(value), ask),
            out: None,
            floor,
            proposes: false,
            cools_down: None,
        }
    }

    pub(super) fn input(policy: &Policy, metric: &str, sample: Sample, ask: Ask) -> Input {
        Input { policy: policy.name.clone(), metric: metric.to_owned(), sample, ask }
    }
}
