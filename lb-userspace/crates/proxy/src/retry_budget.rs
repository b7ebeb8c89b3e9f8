//! PURE: how many requests may be sent once more. Without a bound, a group that fails gets twice its load at the
//! moment when it can bear it least.

use std::time::Instant;

/// Retries that a worker may make without any request before: a service with few requests needs them.
const RESERVE: f64 = 10.0;
/// Retries a second that are allowed whatever the number of requests is.
const RATE: f64 = 1.0;
/// Retries that can be saved up.
const SAVED_MAX: f64 = 100.0;

/// The retries of a group that one worker may still make.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    left: f64,
    at: Instant,
}

impl RetryBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: RESERVE, at: now }
    }

    /// A request begins, of which `percent` may be sent once more.
    pub(crate) fn request(&mut self, percent: u32) {
        self.left = (self.left + f64::from(percent) / 100.0).min(SAVED_MAX);
    }

    /// Whether a request may be sent once more. With 0 percent none may.
    pub(crate) fn take(&mut self, percent: u32, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        if self.left < RESERVE {
            self.left = (self.left + elapsed * RATE).min(RESERVE);
        }
        let is_allowed = percent > 0 && self.left >= 1.0;
        if is_allowed {
            self.left -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Retries of requests that all fail.
    fn retries(requests: u32, percent: u32) -> u32 {
        let now = Instant::now();
        let mut budget = RetryBudget::new(now);
        let retried = |_| {
            budget.request(percent);
            u32::from(budget.take(percent, now))
        };
        (0..requests).map(retried).sum()
    }

    #[test]
    fn a_share_of_the_requests_may_be_sent_again() {
        for (requests, percent, expected) in
            [(10, 20, 10), (1000, 20, 210), (1000, 100, 1000), (1000, 0, 0), (0, 20, 0)]
        {
            let found = retries(requests, percent);
            assert!(found.abs_diff(expected) <= 1, "{requests} {percent}: {found}");
        }
    }

    #[test]
    fn the_reserve_comes_back_and_nothing_is_saved_for_ever() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        let take = |budget: &mut RetryBudget, seconds| {
            let now = start + Duration::from_secs(seconds);
            (0..1000).filter(|_| budget.take(20, now)).count()
        };
        assert_eq!(take(&mut budget, 0), 10);
        assert_eq!(take(&mut budget, 3), 3);
        assert_eq!(take(&mut budget, 3600), 10);
        (0..1_000_000).for_each(|_| budget.request(20));
        assert_eq!(take(&mut budget, 3600), 100);
    }
}
