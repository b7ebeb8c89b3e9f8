//! PURE: this crate's decision with its defaults: one target tracking policy, a sample every 15 s.

use std::{sync::Arc, time::Duration};

use super::{Conditions, ScalingRule, View};
use crate::{
    decide::decide,
    policy::{Policy, PolicyKind, TargetTracking},
    replay::note,
    sample::{Reading, Samples},
    settings::Settings,
    state::State,
    validate::CheckedSettings,
};

const METRIC: &str = "requests_per_target";

pub(super) struct XelbRule {
    state: State,
    may_launch: bool,
}

impl XelbRule {
    pub(super) fn new(conditions: &Conditions) -> Self {
        let tracking = TargetTracking {
            metric: METRIC.to_owned(),
            value: conditions.value,
            disable_scale_in: false,
        };
        let policies =
            vec![Policy { name: "load".to_owned(), kind: PolicyKind::TargetTracking(tracking) }];
        let limits = conditions.limits;
        let settings = Settings { policies, ..Settings::new(limits.min, limits.max) };
        let checked =
            CheckedSettings::new(settings).expect("conditions have sound limits and value");
        Self { state: State::new(Arc::new(checked)), may_launch: true }
    }
}

impl ScalingRule for XelbRule {
    fn name(&self) -> &'static str {
        "xelb"
    }

    fn interval(&self) -> Duration {
        self.state.settings.sample_interval
    }

    fn desired(&mut self, view: &View<'_>) -> u32 {
        self.state.desired = view.desired;
        view.members.clone_into(&mut self.state.members);
        note(&mut self.state, view.launches, view.now);
        let samples = Samples::from([(METRIC.to_owned(), Reading::total(view.work))]);
        let decision = decide(&self.state, &samples, view.now);
        self.state.apply(&decision);
        self.may_launch = decision.launch;
        decision.desired
    }

    fn may_launch(&self) -> bool {
        self.may_launch
    }
}
