//! PURE: simple policies: one adjustment, then a wait until its members are warm and the cooldown
//! is over.

use super::{
    step,
    vote::{Floor, Vote},
};
use crate::{
    adjustment::Adjustment,
    decision::Ask,
    memory::Memory,
    moment::Moment,
    policy::{Breach, Policy, SimpleScaling},
    sample::Reading,
    state::State,
};

pub(super) fn vote(
    policy: &Policy,
    scaling: &SimpleScaling,
    reading: &Reading,
    state: &State,
    memory: &Memory,
    now: Moment,
    start: u32,
) -> Vote {
    let metric = &scaling.metric;
    let (value, saturated) = match step::average(reading, state, now) {
        Ok(known) => known,
        Err(sample) => return Vote::unknown(policy, metric, sample),
    };
    let floor = if lowers(scaling) { Floor::Capacity(start) } else { Floor::Abstain };
    let in_breach = match scaling.breach {
        Breach::Above => value >= scaling.threshold,
        Breach::Below => value <= scaling.threshold,
    };
    if !in_breach {
        return Vote::no_change(policy, metric, value, Ask::Nothing, floor);
    }
    let cools = memory.cooldown.is_some_and(|(since, length)| now.since(&since) < length);
    let waits = cools || !state.is_complete(now) || (saturated && lowers(scaling));
    if waits {
        return Vote::no_change(policy, metric, value, Ask::Wait, floor);
    }
    let to = scaling.adjust.apply(start, scaling.min_adjustment);
    // An adjustment that adds never lowers what is desired already.
    let to = if lowers(scaling) { to } else { to.max(start) };
    let cooldown = scaling.cooldown.unwrap_or(state.settings.cooldown);
    Vote { cools_down: Some(cooldown), ..Vote::capacity(policy, metric, value, to, start) }
}

/// Whether it is a policy of scale-in.
fn lowers(scaling: &SimpleScaling) -> bool {
    match scaling.adjust {
        Adjustment::Exact(_) => scaling.breach == Breach::Below,
        adjust => adjust.is_decrease(),
    }
}
