//! PURE: the recorded history of a group through other settings: what these would have cost, where
//! targets would have been missing, and how often capacity would have changed.
//!
//! Reports of single targets cannot be replayed: other settings would have had other targets. Such
//! readings count as empty.

use std::{sync::Arc, time::Duration};

use crate::{
    decide::decide,
    fleet::{Fleet, FleetConditions},
    moment::Moment,
    sample::{Reading, Sample, Samples},
    scorecard::Scorecard,
    state::State,
    validate::CheckedSettings,
};

/// One recorded decision: when it was made, and from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When.
    pub at: Moment,
    /// The readings.
    pub samples: Samples,
}

/// What a history is replayed under.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayConditions {
    /// How members come and go.
    pub fleet: FleetConditions,
    /// The metric that says what was needed; a total.
    pub metric: String,
    /// What one target can do, in units of the metric. It is not the value of a policy, which
    /// leaves a reserve: it stays the same while settings are compared.
    pub work_per_target_max: f64,
    /// The capacity at the start.
    pub desired: u32,
}

/// The need that a total means: as many targets as it takes at their limit.
pub(crate) fn need(work: f64, work_per_target_max: f64) -> u32 {
    crate::decide::targets(work / work_per_target_max)
}

/// Replays a history. Time between two decisions counts with the need of the first; nothing counts
/// where the need is not known, nor where more than an hour is missing.
#[must_use]
pub fn replay(
    history: &[Recorded],
    settings: Arc<CheckedSettings>,
    conditions: &ReplayConditions,
) -> Scorecard {
    const GAP_MAX: Duration = Duration::from_hours(1);
    let mut score = Scorecard::default();
    let Some(first) = history.first() else { return score };
    let mut state = State::new(settings);
    state.desired = state.limits.clamp(conditions.desired);
    let mut fleet = Fleet::new(conditions.fleet, state.desired, first.at, 0);
    for (index, record) in history.iter().enumerate() {
        let now = record.at;
        fleet.members().clone_into(&mut state.members);
        let decision = decide(&state, &totals(&record.samples), now);
        score.act(now, decision.from, decision.desired);
        state.apply(&decision);
        let launches = fleet.advance(state.desired, decision.launch, now);
        note(&mut state, launches, now);
        let Some(next) = history.get(index + 1) else { break };
        let span = next.at.since(&now);
        if let Some(work) = known_work(record, conditions)
            && span <= GAP_MAX
        {
            let need = need(work, conditions.work_per_target_max);
            score.observe(span, fleet.in_service(), fleet.existing(), need);
        }
    }
    score
}

/// Tells the breakers what became of launches.
pub(crate) fn note(state: &mut State, launches: crate::fleet::Launches, now: Moment) {
    (0..launches.failed).for_each(|_| state.memory.launch_failed(now));
    if launches.succeeded > 0 {
        state.memory.launch_succeeded();
    }
}

fn known_work(record: &Recorded, conditions: &ReplayConditions) -> Option<f64> {
    let Reading::Total { sample, .. } = record.samples.get(&conditions.metric)? else {
        return None;
    };
    let Sample::Value(work) = sample.checked() else { return None };
    Some(work)
}

/// The readings without reports.
fn totals(samples: &Samples) -> Samples {
    let total = |(metric, reading): (&String, &Reading)| {
        let reading = match reading {
            Reading::Total { .. } => reading.clone(),
            Reading::Reports(_) => Reading::Total { sample: Sample::Empty, saturated: false },
        };
        (metric.clone(), reading)
    };
    samples.iter().map(total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{Policy, PolicyKind, TargetTracking},
        settings::Settings,
    };

    const METRIC: &str = "requests_per_target";

    fn settings(value: f64) -> Arc<CheckedSettings> {
        let metric = METRIC.to_owned();
        let tracking = TargetTracking { metric, value, disable_scale_in: false };
        let policies =
            vec![Policy { name: "load".to_owned(), kind: PolicyKind::TargetTracking(tracking) }];
        Arc::new(CheckedSettings::new(Settings { policies, ..Settings::new(1, 50) }).unwrap())
    }

    fn conditions() -> ReplayConditions {
        ReplayConditions {
            fleet: FleetConditions::default(),
            metric: METRIC.to_owned(),
            work_per_target_max: 1000.0,
            desired: 4,
        }
    }

    /// A decision every 15 seconds; work by number of the decision.
    fn history(count: u64, work: impl Fn(u64) -> Option<f64>) -> Vec<Recorded> {
        let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
        let record = |number| {
            let at = start.after(Duration::from_secs(number * 15));
            let sample = work(number).map_or(Sample::Empty, Sample::Value);
            let reading = Reading::Total { sample, saturated: false };
            Recorded { at, samples: Samples::from([(METRIC.to_owned(), reading)]) }
        };
        (0..count).map(record).collect()
    }

    #[test]
    fn more_reserve_costs_more_and_is_short_less() {
        // An hour of work that rises from 3 to 9 targets' worth.
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let history = history(241, |number| Some(3000.0 + number as f64 * 25.0));
        let small = replay(&history, settings(1000.0), &conditions());
        let large = replay(&history, settings(600.0), &conditions());
        assert_eq!(small.time, Duration::from_hours(1));
        assert_eq!(small.need_max, 9);
        assert!(small.violation > large.violation, "{small:?}\n{large:?}");
        assert_eq!(large.violation, Duration::ZERO);
        assert!(small.member_hours() < large.member_hours(), "{small:?}\n{large:?}");
        assert_eq!((small.reversals, large.reversals), (0, 0));
        assert!(small.actions > 0);
    }

    #[test]
    fn steady_work_is_counted_exactly() {
        let history = history(241, |_| Some(3900.0));
        let score = replay(&history, settings(1000.0), &conditions());
        assert_eq!((score.actions, score.violation), (0, Duration::ZERO));
        assert!((score.member_hours() - 4.0).abs() < 1e-9);
        assert!((score.cost_of_static_peak() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_known_does_not_count() {
        let with_gap = history(241, |number| (number < 120).then_some(3900.0));
        let score = replay(&with_gap, settings(1000.0), &conditions());
        assert_eq!(score.time, Duration::from_mins(30));
        assert_eq!(replay(&[], settings(1000.0), &conditions()), Scorecard::default());
    }
}
