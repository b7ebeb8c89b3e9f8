//! PURE: the Kubernetes Horizontal Pod Autoscaler with its defaults, from its documentation
//! ("Algorithm details", "Configurable scaling behavior"): ratio of metric to value, tolerance 0.1,
//! asked every 15 s, the largest recommendation of 5 minutes for scale-in, and for scale-out at
//! most the double or 4 more in 15 s. Pods that are not ready count as idle on the way out.

use std::{collections::VecDeque, time::Duration};

use super::{ScalingRule, View};
use crate::{decide::targets, moment::Moment};

const TOLERANCE: f64 = 0.1;
const STABILISATION: Duration = Duration::from_mins(5);

pub(super) struct HpaRule {
    value: f64,
    recommendations: VecDeque<(Moment, u32)>,
}

impl HpaRule {
    pub(super) const fn new(value: f64) -> Self {
        Self { value, recommendations: VecDeque::new() }
    }

    fn recommendation(&self, view: &View<'_>) -> u32 {
        let ready = f64::from(view.in_service.max(1));
        let pending = view.members.iter().filter(|m| m.lifecycle.is_pending()).count();
        let pending = f64::from(u32::try_from(pending).unwrap_or(u32::MAX));
        let mut pods = ready;
        let mut ratio = view.work / (ready * self.value);
        let is_out = ratio > 1.0;
        if is_out {
            pods += pending;
            ratio = view.work / (pods * self.value);
        }
        // A ratio that changes its side of 1 means no change, too.
        if (ratio - 1.0).abs() <= TOLERANCE || (ratio > 1.0) != is_out {
            return view.desired;
        }
        targets(ratio * pods)
    }
}

impl ScalingRule for HpaRule {
    fn name(&self) -> &'static str {
        "Kubernetes HPA"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(15)
    }

    fn desired(&mut self, view: &View<'_>) -> u32 {
        let recommendation = self.recommendation(view);
        self.recommendations.push_back((view.now, recommendation));
        self.recommendations.retain(|(at, _)| view.now.since(at) <= STABILISATION);
        let stabilised =
            self.recommendations.iter().map(|(_, count)| *count).max().unwrap_or(recommendation);
        if recommendation >= view.desired {
            let most = (view.desired * 2).max(view.desired + 4);
            recommendation.min(most)
        } else {
            stabilised.min(view.desired)
        }
    }
}
