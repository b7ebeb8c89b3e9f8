//! PURE: how many of its requests a client of HTTP/2 may give up (CVE-2023-44487, "rapid reset"). Each costs work
//! here and at a target, and frees its place for the next one.

use std::time::Instant;

/// Requests that may be given up at once: a page that is left may have as many.
const BURST: f64 = 500.0;
/// Requests a second that may be given up for ever.
const RATE: f64 = 50.0;

/// A bucket of requests that may be given up.
#[derive(Debug)]
pub(crate) struct ResetBudget {
    left: f64,
    at: Instant,
}

impl ResetBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: BURST, at: now }
    }

    /// A request was given up; whether the client may go on.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + elapsed * RATE).min(BURST) - 1.0, now);
        self.left >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_a_rate() {
        let start = Instant::now();
        let mut budget = ResetBudget::new(start);
        assert!((0..500).all(|_| budget.take(start)));
        assert!(!budget.take(start));
        let mut budget = ResetBudget::new(start);
        let at = |number: u32| start + Duration::from_millis(20) * number;
        assert!((0..5000).all(|number| budget.take(at(number))));
        let later = at(5000) + Duration::from_hours(1);
        assert!((0..500).all(|_| budget.take(later)));
        assert!(!budget.take(later), "nothing is saved beyond the burst");
    }
}
