//! PURE: since when counters of drops have not grown. The counters themselves have no times, and
//! live longer than the agent.

use std::{collections::BTreeMap, time::Instant};

use lb_common::DropReason;

/// Counters of drops as they were last read, and when each of them last grew.
#[derive(Debug, Default)]
pub(super) struct CounterAges {
    known: BTreeMap<&'static str, u64>,
    grown: BTreeMap<&'static str, Instant>,
}

impl CounterAges {
    /// Compares the counters with their previous values. What was counted before the first call has
    /// no known time.
    pub(super) fn compare(&mut self, drops: &[(DropReason, u64)], now: Instant) {
        for (reason, count) in drops {
            let before = self.known.insert(reason.name(), *count);
            if before.is_some_and(|before| *count > before) {
                self.grown.insert(reason.name(), now);
            } else if before.is_some_and(|before| *count < before) {
                // `xelb detach` has removed the counters.
                self.grown.remove(reason.name());
            }
        }
    }

    /// Seconds since each counter last grew, by its name; only of those that have grown.
    pub(super) fn seconds(&self, now: Instant) -> BTreeMap<String, u64> {
        let age = |then: &Instant| now.saturating_duration_since(*then).as_secs();
        self.grown.iter().map(|(name, then)| ((*name).to_owned(), age(then))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_counter_is_as_old_as_its_last_packet() {
        let (start, mut ages) = (Instant::now(), CounterAges::default());
        let mut at = |seconds, count| {
            let now = start + Duration::from_secs(seconds);
            ages.compare(&[(DropReason::NoTarget, count)], now);
            ages.seconds(now).get("no_target").copied()
        };
        assert_eq!(at(0, 7), None, "counted by an agent before");
        assert_eq!(at(1, 7), None);
        assert_eq!(at(2, 8), Some(0));
        assert_eq!(at(300, 8), Some(298));
        assert_eq!(at(301, 9), Some(0));
        assert_eq!(at(302, 0), None, "the data path was removed");
        assert_eq!(at(303, 1), Some(0));
    }
}
