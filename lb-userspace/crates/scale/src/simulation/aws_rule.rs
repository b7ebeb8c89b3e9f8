//! PURE: target tracking of EC2 Auto Scaling, from what AWS publishes: an alarm above the value in
//! 3 of 3 minutes scales out, one below 90 % of it in 15 of 15 minutes scales in, and the new
//! capacity is proportional to the metric ("How target tracking scaling works" in the user guide).
//!
//! Metrics arrive at once here; CloudWatch takes longer, so the real rule is slower than this one.

use std::{collections::VecDeque, time::Duration};

use super::{ScalingRule, View};
use crate::replay::need;

const OUT_PERIODS: usize = 3;
const IN_PERIODS: usize = 15;
const IN_THRESHOLD: f64 = 0.9;

pub(super) struct AwsRule {
    value: f64,
    /// The metric of the last periods, per target in service.
    periods: VecDeque<f64>,
}

impl AwsRule {
    pub(super) fn new(value: f64) -> Self {
        Self { value, periods: VecDeque::with_capacity(IN_PERIODS + 1) }
    }
}

impl ScalingRule for AwsRule {
    fn name(&self) -> &'static str {
        "AWS target tracking"
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn desired(&mut self, view: &View<'_>) -> u32 {
        let metric = view.work / f64::from(view.in_service.max(1));
        self.periods.push_back(metric);
        if self.periods.len() > IN_PERIODS {
            self.periods.pop_front();
        }
        // The capacity in service times metric by value.
        let proportional = need(view.work, self.value);
        let last = self.periods.iter().rev();
        let is_high = |metric: &&f64| **metric > self.value;
        let high = last.clone().take(OUT_PERIODS).filter(is_high).count();
        if high == OUT_PERIODS {
            return proportional.max(view.desired);
        }
        let low = last.filter(|metric| **metric < self.value * IN_THRESHOLD).count();
        // Nothing scales in while a scale-out is in progress.
        let is_growing = view.members.iter().any(|member| member.lifecycle.is_pending());
        if low == IN_PERIODS && !is_growing {
            return proportional.min(view.desired);
        }
        view.desired
    }
}
