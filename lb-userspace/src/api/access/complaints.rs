//! PURE: a bound on log lines that strangers can cause.

use std::time::{Duration, Instant};

/// Lines within [`WINDOW`]; more are counted, not written.
const LINES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// How many lines were written lately.
#[derive(Debug, Default)]
pub(in crate::api) struct Complaints {
    begun: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Complaints {
    /// Whether a line may be written now; if so, how many were left out before it.
    pub(in crate::api) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.begun.is_none_or(|begun| now.duration_since(begun) >= WINDOW) {
            self.begun = Some(now);
            self.written = 0;
        }
        if self.written == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_counted() {
        let mut complaints = Complaints::default();
        let begun = Instant::now();
        let admitted = |complaints: &mut Complaints, count: u32, at: Duration| {
            (0..count).filter_map(|_| complaints.admit(begun + at)).collect::<Vec<_>>()
        };
        assert_eq!(admitted(&mut complaints, 25, Duration::ZERO), [0; 10]);
        assert_eq!(admitted(&mut complaints, 5, WINDOW / 2), [0; 0]);
        assert_eq!(admitted(&mut complaints, 2, WINDOW), [20, 0], "what was left out is said once");
    }
}
