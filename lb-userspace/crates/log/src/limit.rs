//! PURE: a bound on lines of the log, for each source of them and for all. Further lines are
//! counted, and reported in one line. The caller defines a source (a place in the code, a client,
//! an address).

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// How many lines may be written within a time.
#[derive(Clone, Copy, Debug)]
pub struct LineRate {
    /// Of all sources.
    pub all: u32,
    /// Of one, so that it does not hide the others.
    pub one: u32,
    /// From the first line on.
    pub window: Duration,
}

/// How many lines were written lately, and how many were not.
#[derive(Debug)]
pub struct LineLimit<Source> {
    rate: LineRate,
    begun: Option<Instant>,
    written: u32,
    /// For each source; as many at most as lines are written.
    of_one: HashMap<Source, u32>,
    left_out: u64,
    /// When they were last reported.
    reported: Option<Instant>,
}

impl<Source: Eq + Hash> LineLimit<Source> {
    /// A limit of this many lines.
    #[must_use]
    pub fn new(rate: LineRate) -> Self {
        Self { rate, begun: None, written: 0, of_one: HashMap::new(), left_out: 0, reported: None }
    }

    /// Whether a line may be written now; if so, how many were left out before it.
    pub fn admit(&mut self, from: Source, now: Instant) -> Option<u64> {
        if self.is_over(now) {
            self.begun = Some(now);
            self.written = 0;
            self.of_one.clear();
        }
        let of_one = self.of_one.get(&from).copied().unwrap_or(0);
        if self.written == self.rate.all || of_one == self.rate.one {
            self.left_out += 1;
            return None;
        }
        self.of_one.insert(from, of_one + 1);
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// The same, and the number is left for [`Self::take_left_out`].
    pub fn may(&mut self, from: Source, now: Instant) -> bool {
        let left_out = self.admit(from, now);
        self.left_out += left_out.unwrap_or(0);
        left_out.is_some()
    }

    /// How many lines were left out; at most once in the time of the rate, and nothing before the first
    /// such time is over.
    pub fn take_left_out(&mut self, now: Instant) -> Option<u64> {
        let since = self.reported.or(self.begun)?;
        if self.left_out == 0 || now.duration_since(since) < self.rate.window {
            return None;
        }
        self.reported = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.duration_since(begun) >= self.rate.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);
    const RATE: LineRate = LineRate { all: 10, one: 8, window: WINDOW };

    #[test]
    fn lines_are_bounded_and_counted() {
        let mut lines = LineLimit::new(RATE);
        let begun = Instant::now();
        let admitted = |lines: &mut LineLimit<u8>, count: u8, at: Duration| {
            (0..count).filter_map(|from| lines.admit(from, begun + at)).collect::<Vec<_>>()
        };
        assert_eq!(admitted(&mut lines, 25, Duration::ZERO), [0; 10]);
        assert_eq!(admitted(&mut lines, 5, WINDOW / 2), [0; 0]);
        assert_eq!(admitted(&mut lines, 2, WINDOW), [20, 0], "what was left out is said once");
    }

    #[test]
    fn one_source_does_not_hide_the_others() {
        let mut lines = LineLimit::new(RATE);
        let now = Instant::now();
        assert_eq!((0..100).filter_map(|_| lines.admit("one", now)).count(), 8);
        assert_eq!(lines.admit("other", now), Some(92));
    }

    #[test]
    fn suppressed_lines_are_reported_even_without_further_lines() {
        let mut lines = LineLimit::new(RATE);
        let now = Instant::now();
        for _ in 0..50 {
            lines.admit("one", now);
        }
        assert!(!lines.may("one", now) && lines.may("other", now));
        assert_eq!(lines.take_left_out(now + WINDOW / 2), None);
        assert_eq!(lines.take_left_out(now + WINDOW), Some(43));
        assert_eq!(lines.take_left_out(now + WINDOW), None);
        // They continue: they are reported as often as that, and no more.
        let reported = (10..60).filter(|tenth| {
            let now = now + WINDOW * *tenth / 10;
            for _ in 0..20 {
                lines.may("one", now);
            }
            lines.take_left_out(now).is_some()
        });
        assert!((4..=5).contains(&reported.count()));
    }
}
