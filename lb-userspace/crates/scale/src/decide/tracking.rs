//! PURE: rule 2: the need of a target tracking policy: total work divided by the work of a target.
//!
//! It is not a ratio times the number of targets, so it does not depend on how many are warm: while
//! members boot, start slowly or drain, the same work gives the same need.

use std::collections::BTreeMap;

use super::vote::{Floor, Vote};
use crate::{
    decision::Ask,
    moment::Moment,
    policy::{Policy, TargetTracking},
    sample::{Reading, Sample},
    state::State,
};

/// Work in targets' worth, for each direction.
struct Need {
    sample: Sample,
    out: f64,
    floor: f64,
}

pub(super) fn vote(
    policy: &Policy,
    tracking: &TargetTracking,
    reading: &Reading,
    state: &State,
    now: Moment,
    start: u32,
) -> Vote {
    let need = match reading {
        Reading::Total { sample, saturated } => of_total(sample, *saturated, tracking.value, start),
        Reading::Reports(reports) => of_reports(reports, tracking.value, state, now),
    };
    let need = match need {
        Ok(need) => need,
        Err(sample) => return Vote::unknown(policy, &tracking.metric, sample),
    };
    // There is no dead band on the way out: it would take its share from every reserve, and the
    // largest need of the window keeps capacity from going up and down.
    let to = targets(need.out);
    Vote {
        input: Vote::input(policy, &tracking.metric, need.sample, Ask::Work(need.out)),
        out: (to > start).then_some(to),
        floor: Floor::Work(need.floor),
        proposes: !tracking.disable_scale_in,
        cools_down: None,
    }
}

/// The capacity for so many targets' worth of work.
///
/// A part in 10^9 is not rounded up: 3 times 0.1 by 0.1 is 3 targets, and not 4, though the
/// quotient of these floating-point numbers exceeds 3.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and maps NaN to 0; work is checked to be neither NaN nor negative"
)]
pub(crate) fn targets(work: f64) -> u32 {
    (work * (1.0 - 1e-9)).ceil() as u32
}

fn of_total(sample: &Sample, saturated: bool, value: f64, start: u32) -> Result<Need, Sample> {
    let sample = sample.checked();
    let Sample::Value(total) = sample else { return Err(sample) };
    // Of two finite numbers, the quotient may still be infinite.
    let out = (total / value).min(f64::from(u32::MAX));
    // Saturated targets hide demand: the total is a lower bound, and says nothing about scale-in.
    let floor = if saturated { out.max(f64::from(start)) } else { out };
    Ok(Need { sample, out, floor })
}

/// What targets report of themselves. Members that are not warm are left out. One whose report is
/// missing counts as fully used on the way in and as idle on the way out, as in the Kubernetes HPA.
fn of_reports(
    reports: &BTreeMap<String, Sample>,
    value: f64,
    state: &State,
    now: Moment,
) -> Result<Need, Sample> {
    let mut sum = 0.0;
    let mut reporting = 0_u32;
    let mut missing = 0_u32;
    for member in state.members.iter().filter(|member| member.lifecycle.is_capacity()) {
        let report = reports.get(&member.name).filter(|_| state.is_warm(member, now));
        match report.map(Sample::checked) {
            Some(Sample::Value(value)) => {
                sum += value;
                reporting += 1;
            }
            Some(Sample::Error(error)) => {
                return Err(Sample::Error(format!("{}: {error}", member.name)));
            }
            Some(Sample::Empty) | None => missing += 1,
        }
    }
    if reporting == 0 {
        return Err(Sample::Empty);
    }
    let out = (sum / value).min(f64::from(u32::MAX));
    let average = Sample::Value((sum / f64::from(reporting)).min(f64::MAX));
    Ok(Need { sample: average, out, floor: out + f64::from(missing) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_for_work() {
        let cases = [
            (0.0, 0),
            (0.001, 1),
            (1.0, 1),
            (1.000_001, 2),
            (0.1 * 3.0 / 0.1, 3),
            (999.2, 1000),
            (1e10, u32::MAX),
        ];
        for (work, expected) in cases {
            assert_eq!(targets(work), expected, "{work}");
        }
    }
}
