//! PURE: rule 4: what each policy makes of its sample. A value counts; an empty sample and an error
//! count as unknown, which blocks scale-in and never changes capacity by itself.

use super::{simple, step, tracking};
use crate::{
    decision::{Ask, Input},
    memory::Memory,
    moment::Moment,
    policy::{Policy, PolicyKind},
    sample::{Sample, Samples},
    state::State,
};

/// What a policy wants.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) input: Input,
    /// The capacity that it raises to.
    pub(super) out: Option<u32>,
    /// How far it lets others scale in.
    pub(super) inward: Inward,
    /// Whether it asks for scale-in by itself.
    pub(super) proposes: bool,
    /// Whether an adjustment starts a cooldown.
    pub(super) cools_down: Option<std::time::Duration>,
}

/// How far a policy lets others scale in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Inward {
    /// To so many targets' worth of work, outside the dead band.
    Work(f64),
    /// To a capacity.
    Capacity(u32),
    /// It has no say.
    Abstain,
    /// Not at all: its input is unknown.
    Unknown,
}

/// The votes of all policies that look at metrics.
pub(super) fn all(
    state: &State,
    memory: &Memory,
    samples: &Samples,
    now: Moment,
    start: u32,
) -> Vec<Vote> {
    let count = |policy: &Policy| vote(policy, state, memory, samples, now, start);
    state.settings.policies.iter().filter_map(count).collect()
}

fn vote(
    policy: &Policy,
    state: &State,
    memory: &Memory,
    samples: &Samples,
    now: Moment,
    start: u32,
) -> Option<Vote> {
    let metric = policy.kind.metric()?;
    let Some(reading) = samples.get(metric) else {
        let missing = Sample::Error(format!("no reading of {metric}"));
        return Some(Vote::unknown(policy, metric, missing));
    };
    Some(match &policy.kind {
        PolicyKind::TargetTracking(kind) => {
            tracking::vote(policy, kind, reading, state, now, start)
        }
        PolicyKind::Step(kind) => step::vote(policy, kind, reading, state, now, start),
        PolicyKind::Simple(kind) => simple::vote(policy, kind, reading, state, memory, now, start),
        PolicyKind::Schedule(_) => return None,
    })
}

impl Vote {
    /// The vote of a policy whose sample is empty or an error.
    pub(super) fn unknown(policy: &Policy, metric: &str, sample: Sample) -> Self {
        Self {
            input: Self::input(policy, metric, sample, Ask::Unknown),
            out: None,
            inward: Inward::Unknown,
            proposes: false,
            cools_down: None,
        }
    }

    /// A vote for a capacity: out if it is more than now, in if it is less.
    pub(super) fn capacity(policy: &Policy, metric: &str, value: f64, to: u32, now: u32) -> Self {
        Self {
            input: Self::input(policy, metric, Sample::Value(value), Ask::Capacity(to)),
            out: (to > now).then_some(to),
            inward: Inward::Capacity(to),
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
        inward: Inward,
    ) -> Self {
        Self {
            input: Self::input(policy, metric, Sample::Value(value), ask),
            out: None,
            inward,
            proposes: false,
            cools_down: None,
        }
    }

    pub(super) fn input(policy: &Policy, metric: &str, sample: Sample, ask: Ask) -> Input {
        Input { policy: policy.name.clone(), metric: metric.to_owned(), sample, ask }
    }
}
