//! PURE: how well a group was scaled: what was missing, what was too much, cost, and unrest.
//!
//! Accuracy and time shares are the elasticity metrics of Herbst et al. ("BUNGEE", SEAMS 2015):
//! accuracies are averages over time of the difference between supply and need, relative to the
//! need.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// An action in the other direction than the one before counts as a reversal if it follows within
/// this time.
pub const REVERSAL_WITHIN: Duration = Duration::from_mins(30);

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// The time that was observed.
    pub time: Duration,
    /// How long fewer targets were in service than needed.
    pub violation: Duration,
    /// How long more targets existed than needed.
    pub excess: Duration,
    /// The sum over time of missing targets, each relative to the need, in seconds.
    missing: f64,
    /// The same of superfluous targets.
    superfluous: f64,
    /// The sum over time of targets that exist, in seconds.
    member_seconds: f64,
    /// The largest need.
    pub need_max: u32,
    /// How often the desired capacity changed.
    pub actions: u32,
    /// How often it went back soon after.
    pub reversals: u32,
    #[serde(skip)]
    last_action: Option<(Moment, bool)>,
}

impl Scorecard {
    /// Counts a span of time: targets in service, existing, and needed.
    pub fn observe(&mut self, span: Duration, in_service: u32, existing: u32, need: u32) {
        let seconds = span.as_secs_f64();
        self.time += span;
        self.need_max = self.need_max.max(need);
        self.member_seconds += f64::from(existing) * seconds;
        let relative = |targets: u32| f64::from(targets) / f64::from(need.max(1)) * seconds;
        if in_service < need {
            self.violation += span;
            self.missing += relative(need - in_service);
        }
        if existing > need {
            self.excess += span;
            self.superfluous += relative(existing - need);
        }
    }

    /// Counts a change of the desired capacity.
    pub fn act(&mut self, now: Moment, from: u32, to: u32) {
        if from == to {
            return;
        }
        let out = to > from;
        self.actions += 1;
        let is_reversal = self
            .last_action
            .is_some_and(|(at, was_out)| was_out != out && now.since(&at) < REVERSAL_WITHIN);
        self.reversals += u32::from(is_reversal);
        self.last_action = Some((now, out));
    }

    /// The share of time with fewer targets in service than needed.
    #[must_use]
    pub fn violation_share(&self) -> f64 {
        self.per_time(self.violation.as_secs_f64())
    }

    /// The share of time with more targets than needed.
    #[must_use]
    pub fn excess_share(&self) -> f64 {
        self.per_time(self.excess.as_secs_f64())
    }

    /// Missing targets relative to the need, averaged over time.
    #[must_use]
    pub fn under_provisioning(&self) -> f64 {
        self.per_time(self.missing)
    }

    /// Superfluous targets relative to the need, averaged over time.
    #[must_use]
    pub fn over_provisioning(&self) -> f64 {
        self.per_time(self.superfluous)
    }

    /// What the targets cost, in member-hours.
    #[must_use]
    pub fn member_hours(&self) -> f64 {
        self.member_seconds / 3600.0
    }

    /// The cost relative to as many targets all the time as the largest need is.
    #[must_use]
    pub fn cost_of_static_peak(&self) -> f64 {
        self.per_time(self.member_seconds / f64::from(self.need_max.max(1)))
    }

    /// Actions a day.
    #[must_use]
    pub fn actions_per_day(&self) -> f64 {
        self.per_time(f64::from(self.actions) * 86_400.0)
    }

    /// Reversals a day.
    #[must_use]
    pub fn reversals_per_day(&self) -> f64 {
        self.per_time(f64::from(self.reversals) * 86_400.0)
    }

    fn per_time(&self, sum: f64) -> f64 {
        if self.time.is_zero() { 0.0 } else { sum / self.time.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_costs() {
        let mut score = Scorecard::default();
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        score.observe(hours(1), 2, 4, 4);
        score.observe(hours(2), 6, 6, 4);
        score.observe(hours(1), 8, 8, 8);
        let shares = [
            (score.violation_share(), 0.25),
            (score.excess_share(), 0.5),
            (score.under_provisioning(), 0.125),
            (score.over_provisioning(), 0.25),
            (score.member_hours(), 24.0),
            (score.cost_of_static_peak(), 0.75),
            (Scorecard::default().violation_share(), 0.0),
        ];
        for (share, expected) in shares {
            assert!((share - expected).abs() < 1e-12, "{share} is not {expected}: {score:?}");
        }
    }

    #[test]
    fn actions_and_reversals() {
        let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
        let mut score = Scorecard::default();
        score.observe(Duration::from_hours(24), 1, 1, 1);
        // (minute, from, to, reversals so far)
        let cases = [(0, 2, 4, 0), (5, 4, 6, 0), (10, 6, 6, 0), (20, 6, 5, 1), (60, 5, 8, 1)];
        for (minute, from, to, reversals) in cases {
            score.act(start.after(Duration::from_secs(minute * 60)), from, to);
            assert_eq!(score.reversals, reversals, "at minute {minute}");
        }
        assert!((score.actions_per_day() - 4.0).abs() < 1e-12);
        assert!((score.reversals_per_day() - 1.0).abs() < 1e-12);
    }
}
