//! PURE: when to stop launching, and for how long. Each class of errors has a pause of its own.

use std::time::Duration;

use lb_scale::{BACK_OFF_MAX, BACK_OFF_MIN, LAUNCH_FAILURES_MAX, Moment};
use serde::{Deserialize, Serialize};

use crate::call::{CallError, ErrorClass};

/// The first pause after the quota was reached.
pub const QUOTA_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause while the provider has no capacity.
pub const CAPACITY_PAUSE_MAX: Duration = Duration::from_mins(10);
/// The longest wait before a failed call of one member is repeated.
pub const RETRY_MAX: Duration = Duration::from_mins(1);

/// Failed launches of a group in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// The last error.
    pub error: CallError,
    /// How many there were.
    pub failures: u32,
    /// When the last one was.
    pub since: Moment,
    /// The template that failed.
    pub template: String,
    /// Whether a member failed that could be created. Then only a member in service closes it.
    pub after_create: bool,
}

impl Breaker {
    /// The breaker after one more failure. A failure of a launch that began before the last one
    /// was known is no further evidence.
    #[must_use]
    pub(crate) fn after(
        before: Option<&Self>,
        error: CallError,
        template: &str,
        launch: Moment,
        now: Moment,
        after_create: bool,
    ) -> Self {
        let same = before.filter(|breaker| breaker.template == template);
        let failures = same.map_or(0, |breaker| {
            let is_new = now.since(&launch) <= now.since(&breaker.since);
            let counts = is_new || !breaker.limits();
            breaker.failures.saturating_sub(u32::from(!counts))
        });
        let after_create = after_create || same.is_some_and(|breaker| breaker.after_create);
        let failures = failures.saturating_add(1);
        Self { error, failures, since: now, template: template.to_owned(), after_create }
    }

    /// How long launching pauses.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let doubled = |first: Duration, failures: u32, most: Duration| {
            first.saturating_mul(1 << failures.min(16)).min(most)
        };
        let before = self.failures.saturating_sub(1);
        match self.error.class {
            ErrorClass::Quota => doubled(QUOTA_PAUSE, before, BACK_OFF_MAX),
            ErrorClass::Capacity => doubled(BACK_OFF_MIN, before, CAPACITY_PAUSE_MAX),
            ErrorClass::Template => BACK_OFF_MAX,
            ErrorClass::Transient | ErrorClass::Fatal => self
                .failures
                .checked_sub(LAUNCH_FAILURES_MAX)
                .map_or(Duration::ZERO, |more| doubled(BACK_OFF_MIN, more, BACK_OFF_MAX)),
        }
    }

    /// Whether nothing is launched. After the pause, one launch at a time is tried.
    #[must_use]
    pub fn is_open(&self, now: Moment) -> bool {
        now.since(&self.since) < self.pause()
    }

    /// Whether launches are limited at all.
    #[must_use]
    pub fn limits(&self) -> bool {
        !self.pause().is_zero()
    }
}

/// How long to wait after so many failed calls of a member.
#[must_use]
pub(crate) fn retry_wait(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    Duration::from_secs(1).saturating_mul(1 << doublings).min(RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        Moment { boot_id: 1, boot: Duration::from_secs(seconds), wall }
    }

    #[test]
    fn each_class_has_its_pauses() {
        // (class, pauses after the first failures, in seconds)
        let cases = [
            (ErrorClass::Quota, [60, 120, 240, 480]),
            (ErrorClass::Capacity, [30, 60, 120, 240]),
            (ErrorClass::Template, [3600, 3600, 3600, 3600]),
            (ErrorClass::Transient, [0, 0, 30, 60]),
            (ErrorClass::Fatal, [0, 0, 30, 60]),
        ];
        for (class, pauses) in cases {
            let mut breaker = None;
            let mut now = 0;
            for pause in pauses {
                let error = CallError::new(class, "");
                let next = Breaker::after(breaker.as_ref(), error, "t", at(now), at(now), false);
                assert_eq!(next.pause(), Duration::from_secs(pause), "{class:?}");
                assert_eq!(next.is_open(at(now)), pause > 0);
                assert!(!next.is_open(at(now + pause)));
                now += pause + 1;
                breaker = Some(next);
            }
        }
    }

    #[test]
    fn launches_that_were_under_way_are_no_further_evidence() {
        let quota = || CallError::new(ErrorClass::Quota, "");
        let first = Breaker::after(None, quota(), "t", at(0), at(10), false);
        let second = Breaker::after(Some(&first), quota(), "t", at(5), at(12), false);
        assert_eq!(second.failures, 1);
        let other = Breaker::after(Some(&second), quota(), "u", at(5), at(12), false);
        assert_eq!((other.failures, other.template.as_str()), (1, "u"));
    }

    #[test]
    fn failed_calls_are_repeated_more_slowly() {
        let waits: Vec<u64> = [0, 1, 2, 3, 6, 7, 99].map(|n| retry_wait(n).as_secs()).into();
        assert_eq!(waits, [1, 1, 2, 4, 32, 60, 60]);
    }
}
