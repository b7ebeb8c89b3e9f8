//! PURE: scaling policies, as they are configured. Whether they make sense is checked in
//! `validate`, what they ask for is computed in `decide`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::adjustment::Adjustment;

/// A named policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name, unique in its group.
    pub name: String,
    /// What it does.
    #[serde(flatten)]
    pub kind: PolicyKind,
}

/// The kinds of policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// Keeps the work of each target at a value.
    TargetTracking(TargetTracking),
    /// Changes the capacity by how far a metric is from a threshold.
    Step(StepScaling),
    /// Changes the capacity while a metric is beyond a threshold, with a cooldown.
    Simple(SimpleScaling),
    /// Sets limits and desired capacity at times of day.
    Schedule(Schedule),
}

impl PolicyKind {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TargetTracking(_) => "target_tracking",
            Self::Step(_) => "step",
            Self::Simple(_) => "simple",
            Self::Schedule(_) => "schedule",
        }
    }

    /// The metric that it looks at.
    #[must_use]
    pub fn metric(&self) -> Option<&str> {
        match self {
            Self::TargetTracking(policy) => Some(&policy.metric),
            Self::Step(policy) => Some(&policy.metric),
            Self::Simple(policy) => Some(&policy.metric),
            Self::Schedule(_) => None,
        }
    }
}

/// `target_tracking`: as many targets as the work needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetTracking {
    /// The metric of work.
    pub metric: String,
    /// The work of one target, in units of the metric.
    pub value: f64,
    /// Whether it only adds targets.
    #[serde(default)]
    pub disable_scale_in: bool,
}

/// `step`: steps by the size of the breach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepScaling {
    /// The metric; of totals, the average per target in service counts.
    pub metric: String,
    /// Where the breach begins, in units of the metric.
    pub threshold: f64,
    /// The steps, in any order.
    pub steps: Vec<Step>,
    /// `MinAdjustmentMagnitude`: a percentage changes at least so many targets.
    #[serde(default)]
    pub min_adjustment: u32,
}

/// One step: what to do where the metric minus the threshold is between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The lower bound; no bound means minus infinity.
    pub lower: Option<f64>,
    /// The upper bound; no bound means infinity.
    pub upper: Option<f64>,
    /// What to do.
    pub adjust: Adjustment,
}

/// On which side of its threshold a metric is in breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// At the threshold or above.
    Above,
    /// At the threshold or below.
    Below,
}

/// `simple`: one adjustment, then a cooldown of the whole group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleScaling {
    /// The metric; of totals, the average per target in service counts.
    pub metric: String,
    /// Where the breach begins, in units of the metric.
    pub threshold: f64,
    /// On which side of it.
    pub breach: Breach,
    /// What to do.
    pub adjust: Adjustment,
    /// `MinAdjustmentMagnitude`: a percentage changes at least so many targets.
    #[serde(default)]
    pub min_adjustment: u32,
    /// How long to wait after it; the group's cooldown if it is not set.
    #[serde(default)]
    pub cooldown: Option<Duration>,
}

/// `schedule`: limits and desired capacity from a time of day on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields: minute, hour, day of month, month, day of week.
    pub cron: String,
    /// An IANA name, for example `Europe/Berlin`. The default is UTC.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The fewest targets; unchanged if not set.
    #[serde(default)]
    pub min: Option<u32>,
    /// The most targets; unchanged if not set.
    #[serde(default)]
    pub max: Option<u32>,
    /// The desired capacity; unchanged if not set.
    #[serde(default)]
    pub desired: Option<u32>,
}

fn utc() -> String {
    "Etc/UTC".to_owned()
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "policy {} ({})", self.name, self.kind.name())
    }
}
