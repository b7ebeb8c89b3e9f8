//! PURE: rule 6: step policies, with the bounds of EC2 Auto Scaling's `StepAdjustment`.
//!
//! Members that are not warm do not count in the capacity that a step adds to, and the result never
//! lowers what is desired already. So a breach that lasts adds once, and one that grows adds the
//! rest.

use super::vote::{Floor, Vote};
use crate::{
    adjustment::Adjustment,
    decision::Ask,
    moment::Moment,
    policy::{Policy, Step, StepScaling},
    sample::{Reading, Sample},
    state::State,
};

pub(super) fn vote(
    policy: &Policy,
    scaling: &StepScaling,
    reading: &Reading,
    state: &State,
    now: Moment,
    start: u32,
) -> Vote {
    let metric = &scaling.metric;
    let (value, saturated) = match average(reading, state, now) {
        Ok(known) => known,
        Err(sample) => return Vote::unknown(policy, metric, sample),
    };
    let warm = state.warm(now).min(start);
    let step = matching(scaling, value).filter(|step| !step.adjust.is_neutral());
    let Some(step) = step else {
        let can_lower = scaling.steps.iter().any(lowers);
        let floor = if can_lower { Floor::Capacity(start) } else { Floor::Abstain };
        return Vote::no_change(policy, metric, value, Ask::Nothing, floor);
    };
    if lowers(step) && (warm < start || saturated) {
        let floor = Floor::Capacity(start);
        return Vote::no_change(policy, metric, value, Ask::Wait, floor);
    }
    let to = step.adjust.apply(warm, scaling.min_adjustment);
    // An adjustment that adds never lowers what was added already.
    let to = if lowers(step) { to } else { to.max(start) };
    Vote::capacity(policy, metric, value, to, start)
}

/// Whether a step is one of scale-in.
fn lowers(step: &Step) -> bool {
    match step.adjust {
        Adjustment::Exact(_) => step.upper.is_some_and(|upper| upper <= 0.0),
        adjust => adjust.is_decrease(),
    }
}

/// The step for a value. Above the threshold, lower bounds are inclusive and upper ones exclusive;
/// below it, the other way round. At the threshold, the step above it counts before the one below.
fn matching(scaling: &StepScaling, value: f64) -> Option<&Step> {
    let distance = value - scaling.threshold;
    let above = |step: &&Step| {
        distance >= 0.0
            && step.lower.is_some_and(|lower| lower >= 0.0 && distance >= lower)
            && step.upper.is_none_or(|upper| distance < upper)
    };
    let below = |step: &&Step| {
        distance <= 0.0
            && step.upper.is_some_and(|upper| upper <= 0.0 && distance <= upper)
            && step.lower.is_none_or(|lower| distance > lower)
    };
    let mut steps = scaling.steps.iter();
    steps.clone().find(above).or_else(|| steps.find(below))
}

/// The average per target, and whether targets are saturated.
pub(super) fn average(
    reading: &Reading,
    state: &State,
    now: Moment,
) -> Result<(f64, bool), Sample> {
    let reports = match reading {
        Reading::Total { sample, saturated } => {
            let sample = sample.checked();
            let Sample::Value(total) = sample else { return Err(sample) };
            return Ok((total / f64::from(state.in_service().max(1)), *saturated));
        }
        Reading::Reports(reports) => reports,
    };
    let (mut sum, mut count) = (0.0, 0_u32);
    for member in state.members.iter().filter(|member| state.is_warm(member, now)) {
        match reports.get(&member.name).map(Sample::checked) {
            Some(Sample::Value(value)) => {
                sum += value;
                count += 1;
            }
            Some(Sample::Error(error)) => {
                return Err(Sample::Error(format!("{}: {error}", member.name)));
            }
            Some(Sample::Empty) | None => {}
        }
    }
    if count == 0 {
        Err(Sample::Empty)
    } else {
        Ok(((sum / f64::from(count)).min(f64::MAX), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Adjustment::Percent;

    /// The two policies of the EC2 Auto Scaling user guide ("Step scaling policies") in one:
    /// threshold 50, and nothing, 10 and 30 percent in each direction.
    fn guide() -> StepScaling {
        let bounds = [
            (Some(0.0), Some(10.0), 0),
            (Some(10.0), Some(20.0), 10),
            (Some(20.0), None, 30),
            (Some(-10.0), Some(0.0), 0),
            (Some(-20.0), Some(-10.0), -10),
            (None, Some(-20.0), -30),
        ];
        let steps = bounds
            .map(|(lower, upper, percent)| Step { lower, upper, adjust: Percent(percent) })
            .to_vec();
        StepScaling { metric: "cpu".to_owned(), threshold: 50.0, steps, min_adjustment: 0 }
    }

    #[test]
    fn the_step_of_a_value() {
        // (value, percent)
        let cases = [
            (50.0, 0),
            (59.9, 0),
            (60.0, 10),
            (69.9, 10),
            (70.0, 30),
            (1e300, 30),
            (49.9, 0),
            (40.1, 0),
            (40.0, -10),
            (30.1, -10),
            (30.0, -30),
            (0.0, -30),
        ];
        for (value, expected) in cases {
            let adjust = matching(&guide(), value).map(|step| step.adjust);
            assert_eq!(adjust, Some(Percent(expected)), "{value}");
        }
    }
}
