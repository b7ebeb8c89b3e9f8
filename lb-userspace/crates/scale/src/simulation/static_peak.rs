//! PURE: no scaling: as many targets all the time as the largest load needs. It knows the future.

use std::time::Duration;

use super::{ScalingRule, View};

pub(super) struct StaticPeak(pub(super) u32);

impl ScalingRule for StaticPeak {
    fn name(&self) -> &'static str {
        "static peak"
    }

    fn interval(&self) -> Duration {
        super::TICK
    }

    fn desired(&mut self, _: &View<'_>) -> u32 {
        self.0
    }
}
