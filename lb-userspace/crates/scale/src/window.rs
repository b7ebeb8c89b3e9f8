//! PURE: the largest need of a time window, in constant time for a decision.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// A need at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Peak {
    at: Moment,
    need: f64,
}

/// The needs that may still be the largest of a window: each is larger than all later ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peaks(VecDeque<Peak>);

impl Peaks {
    /// Records a need, in targets, and forgets those that are older than the window.
    pub fn record(&mut self, need: f64, now: Moment, window: Duration) {
        while self.0.front().is_some_and(|peak| now.since(&peak.at) > window) {
            self.0.pop_front();
        }
        while self.0.back().is_some_and(|peak| peak.need <= need) {
            self.0.pop_back();
        }
        self.0.push_back(Peak { at: now, need });
    }

    /// The largest need of the window that ends now; `None` if there is none.
    #[must_use]
    pub fn largest(&self, now: Moment, window: Duration) -> Option<f64> {
        self.0.iter().find(|peak| now.since(&peak.at) <= window).map(|peak| peak.need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_need_holds_for_the_window() {
        let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
        let window = Duration::from_mins(1);
        let mut peaks = Peaks::default();
        assert_eq!(peaks.largest(start, window), None);
        // (seconds, need, largest of the last 60 seconds)
        let cases = [
            (0, 5.0, 5.0),
            (15, 3.0, 5.0),
            (30, 4.0, 5.0),
            (60, 1.0, 5.0),
            (61, 1.0, 4.0),
            (90, 1.0, 4.0),
            (91, 0.0, 1.0),
            (92, 9.0, 9.0),
            (500, 2.0, 2.0),
        ];
        for (seconds, need, largest) in cases {
            let now = start.after(Duration::from_secs(seconds));
            peaks.record(need, now, window);
            assert_eq!(peaks.largest(now, window), Some(largest), "at {seconds} s");
        }
        let later = start.after(Duration::from_secs(561));
        assert_eq!(peaks.largest(later, window), None, "nothing was recorded since");
    }
}
