//! PURE: the scaling settings of a group, with the defaults of EC2 Auto Scaling where it has some.
//! `validate` turns them into settings that can be decided with. How people write durations and
//! percentages is not decided here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{limits::Limits, policy::Policy};

/// The `scaling` of a target group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Between how many and how many targets.
    pub limits: Limits,
    /// The desired capacity of a new group; `min` if not set.
    #[serde(default)]
    pub initial: Option<u32>,
    /// The policies. The largest capacity that one of them asks for wins.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// How long a new target is not counted in what targets report of themselves.
    #[serde(default = "defaults::warmup")]
    pub warmup: Duration,
    /// How long the largest need holds.
    #[serde(default = "defaults::scale_in_window")]
    pub scale_in_window: Duration,
    /// The dead band of scale-in: how much less than its value the work of a target must be before
    /// a `target_tracking` policy lowers capacity, as a share of the value: 0.1 is 10 %.
    #[serde(default = "defaults::tolerance")]
    pub tolerance: f64,
    /// How long a `simple` policy waits after an adjustment.
    #[serde(default = "defaults::cooldown")]
    pub cooldown: Duration,
    /// How long failed health checks of a new member do not count.
    #[serde(default)]
    pub health_grace: Duration,
    /// How often samples come.
    #[serde(default = "defaults::sample_interval")]
    pub sample_interval: Duration,
    /// How fast capacity may grow; not limited if not set.
    #[serde(default)]
    pub scale_out_rate: Option<Rate>,
    /// How fast capacity may shrink; not limited if not set.
    #[serde(default)]
    pub scale_in_rate: Option<Rate>,
    /// How unhealthy members are replaced.
    #[serde(default)]
    pub replacement: Replacement,
}

/// A limit on changes: in each period, so many targets or so many percent, whichever is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Targets.
    pub targets: u32,
    /// Percent of the capacity at the start of the period.
    pub percent: u32,
    /// The period.
    pub period: Duration,
}

/// How many members may be replaced at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The most at once, in percent of the desired capacity; at least one member.
    pub max_at_once_percent: u32,
}

impl Default for Replacement {
    fn default() -> Self {
        Self { max_at_once_percent: 10 }
    }
}

impl Settings {
    /// Settings with those limits and the defaults for the rest: no policy.
    #[must_use]
    pub fn new(min: u32, max: u32) -> Self {
        Self {
            limits: Limits { min, max },
            initial: None,
            policies: Vec::new(),
            warmup: defaults::warmup(),
            scale_in_window: defaults::scale_in_window(),
            tolerance: defaults::tolerance(),
            cooldown: defaults::cooldown(),
            health_grace: Duration::ZERO,
            sample_interval: defaults::sample_interval(),
            scale_out_rate: None,
            scale_in_rate: None,
            replacement: Replacement::default(),
        }
    }

    /// The desired capacity of a new group.
    #[must_use]
    pub fn initial(&self) -> u32 {
        self.initial.unwrap_or(self.limits.min)
    }
}

mod defaults {
    use std::time::Duration;

    pub(super) const fn warmup() -> Duration {
        Duration::from_mins(1)
    }

    /// The 15 periods of one minute of the scale-in alarm of AWS target tracking.
    pub(super) const fn scale_in_window() -> Duration {
        Duration::from_mins(15)
    }

    /// That of the Kubernetes HPA, and of the scale-in alarm of AWS target tracking.
    pub(super) const fn tolerance() -> f64 {
        0.1
    }

    /// `DefaultCooldown` of EC2 Auto Scaling.
    pub(super) const fn cooldown() -> Duration {
        Duration::from_mins(5)
    }

    /// `--horizontal-pod-autoscaler-sync-period` of Kubernetes.
    pub(super) const fn sample_interval() -> Duration {
        Duration::from_secs(15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_where_nothing_is_set() {
        let settings: Settings =
            serde_json::from_str(r#"{"limits": {"min": 2, "max": 20}}"#).unwrap();
        assert_eq!(settings, Settings::new(2, 20));
        assert_eq!(settings.initial(), 2);
        assert!(serde_json::from_str::<Settings>(r#"{"limits": {"min": 2}}"#).is_err());
    }

    #[test]
    fn policies_are_read_by_their_kind() {
        let policy: Policy = serde_json::from_str(
            r#"{"name": "load", "target_tracking": {"metric": "requests_per_target", "value": 1000}}"#,
        )
        .unwrap();
        assert_eq!(policy.to_string(), "policy load (target_tracking)");
        assert_eq!(policy.kind.metric(), Some("requests_per_target"));
        let policy: Policy = serde_json::from_str(
            r#"{"name": "night", "schedule": {"cron": "0 22 * * *", "max": 5}}"#,
        )
        .unwrap();
        let crate::policy::PolicyKind::Schedule(schedule) = policy.kind else { panic!() };
        assert_eq!((schedule.timezone.as_str(), schedule.max), ("Etc/UTC", Some(5)));
    }
}
