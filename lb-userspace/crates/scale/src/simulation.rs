//! PURE: groups under generated load in virtual time, scaled by this crate's rule and by the
//! published rules of others. The same seed gives the same run. docs/decisions/scaling.md shows the
//! results.

mod aws_rule;
mod hpa_rule;
mod load;
mod report;
mod static_peak;
mod xelb_rule;

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    fleet::{Fleet, FleetConditions, Launches},
    limits::Limits,
    member::Member,
    moment::Moment,
    replay::need,
    scorecard::Scorecard,
};
pub use load::Load;
pub use report::{Report, Row};

/// The resolution of virtual time.
pub const TICK: Duration = Duration::from_secs(5);

/// What a run is made under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// How long it takes, in virtual days.
    pub days: u32,
    /// The seed of load and launches.
    pub seed: u64,
    /// How members come and go.
    pub fleet: FleetConditions,
    /// The limits of the group.
    pub limits: Limits,
    /// What one target can do, in units a second.
    pub work_per_target_max: f64,
    /// The work of one target that rules aim at, in units a second.
    pub value: f64,
}

impl Default for Conditions {
    /// A week; 2 to 100 targets that boot in 60 s and can do 1000 a second. Rules aim at just that,
    /// without a reserve, so that every late target shows.
    fn default() -> Self {
        Self {
            days: 7,
            seed: 1,
            fleet: FleetConditions::default(),
            limits: Limits { min: 2, max: 100 },
            work_per_target_max: 1000.0,
            value: 1000.0,
        }
    }
}

/// What a rule sees.
#[derive(Clone, Copy, Debug)]
pub struct View<'run> {
    /// The time.
    pub now: Moment,
    /// The work of the group in units a second, averaged since the rule was last asked.
    pub work: f64,
    /// How many members are in service.
    pub in_service: u32,
    /// All members.
    pub members: &'run [Member],
    /// What happened to launches since the rule was last asked.
    pub launches: Launches,
    /// The desired capacity.
    pub desired: u32,
}

/// A rule that is compared.
pub trait ScalingRule {
    /// Its name in reports.
    fn name(&self) -> &'static str;
    /// How often it is asked.
    fn interval(&self) -> Duration;
    /// The capacity that it wants; limits are applied to it.
    fn desired(&mut self, view: &View<'_>) -> u32;
    /// Whether members that are missing may be launched.
    fn may_launch(&self) -> bool {
        true
    }
}

/// Runs one rule under one load.
#[must_use]
pub fn run(rule: &mut dyn ScalingRule, work: &[f64], conditions: &Conditions) -> Scorecard {
    let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
    let first = work.first().copied().unwrap_or(0.0);
    let mut desired = conditions.limits.clamp(need(first, conditions.value));
    let mut fleet = Fleet::new(conditions.fleet, desired, start, conditions.seed);
    let mut score = Scorecard::default();
    let (mut now, mut asked) = (start, start);
    let (mut sum, mut count) = (0.0, 0_u32);
    let mut launches = Launches::default();
    for &work in work {
        let needed = need(work, conditions.work_per_target_max);
        score.observe(TICK, fleet.in_service(), fleet.existing(), needed);
        now = now.after(TICK);
        sum += work;
        count += 1;
        if now.since(&asked) >= rule.interval() {
            let view = View {
                now,
                work: sum / f64::from(count),
                in_service: fleet.in_service(),
                members: fleet.members(),
                launches,
                desired,
            };
            let wanted = conditions.limits.clamp(rule.desired(&view));
            score.act(now, desired, wanted);
            desired = wanted;
            (asked, sum, count, launches) = (now, 0.0, 0, Launches::default());
        }
        let happened = fleet.advance(desired, rule.may_launch(), now);
        launches.succeeded += happened.succeeded;
        launches.failed += happened.failed;
    }
    score
}

/// Runs all rules under all loads.
#[must_use]
pub fn compare(conditions: &Conditions) -> Report {
    let mut rows = Vec::new();
    for load in Load::ALL {
        let work = load.generate(conditions.days, conditions.seed);
        let peak = work.iter().copied().fold(0.0, f64::max);
        let rules: [Box<dyn ScalingRule>; 4] = [
            Box::new(xelb_rule::XelbRule::new(conditions)),
            Box::new(aws_rule::AwsRule::new(conditions.value)),
            Box::new(hpa_rule::HpaRule::new(conditions.value)),
            Box::new(static_peak::StaticPeak(need(peak, conditions.work_per_target_max))),
        ];
        for mut rule in rules {
            let score = run(rule.as_mut(), &work, conditions);
            rows.push(Row { load, rule: rule.name(), score });
        }
    }
    Report { rows }
}

#[cfg(test)]
mod tests;
