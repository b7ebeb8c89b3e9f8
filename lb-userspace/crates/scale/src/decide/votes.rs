//! PURE: rule 4: what each policy makes of its sample. A value counts; an empty sample and an error
//! count as unknown, which blocks scale-in and never changes capacity by itself.

use super::{simple, step, tracking, vote::Vote};
use crate::{
    memory::Memory,
    moment::Moment,
    policy::{Policy, PolicyKind},
    sample::{Sample, Samples},
    state::State,
};

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
