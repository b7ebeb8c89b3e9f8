//! PURE: a bound on log lines that strangers can cause.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Lines within [`WINDOW`]; more are counted, not written.
const LINES_MAX: u32 = 10;
/// Of these, for one address, so that one does not hide all others.
const LINES_OF_ONE_MAX: u32 = 8;
const WINDOW: Duration = Duration::from_secs(10);

/// How many lines were written lately.
#[derive(Debug, Default)]
pub(in crate::api) struct Complaints {
    begun: Option<Instant>,
    written: u32,
    /// For each address; as many at most as lines are written.
    of_one: HashMap<IpAddr, u32>,
    left_out: u64,
}

impl Complaints {
    /// Whether a line may be written now; if so, how many were left out before it.
    pub(in crate::api) fn admit(&mut self, from: IpAddr, now: Instant) -> Option<u64> {
        if self.begun.is_none_or(|begun| now.duration_since(begun) >= WINDOW) {
            self.begun = Some(now);
            self.written = 0;
            self.of_one.clear();
        }
        let of_one = self.of_one.get(&from).copied().unwrap_or(0);
        if self.written == LINES_MAX || of_one == LINES_OF_ONE_MAX {
            self.left_out += 1;
            return None;
        }
        self.of_one.insert(from, of_one + 1);
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
        let admitted = |complaints: &mut Complaints, count: u8, at: Duration| {
            let from = |number: u8| IpAddr::from([192, 0, 2, number]);
            (0..count)
                .filter_map(|number| complaints.admit(from(number), begun + at))
                .collect::<Vec<_>>()
        };
        assert_eq!(admitted(&mut complaints, 25, Duration::ZERO), [0; 10]);
        assert_eq!(admitted(&mut complaints, 5, WINDOW / 2), [0; 0]);
        assert_eq!(admitted(&mut complaints, 2, WINDOW), [20, 0], "what was left out is said once");
    }

    #[test]
    fn one_address_does_not_hide_the_others() {
        let mut complaints = Complaints::default();
        let now = Instant::now();
        let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        let lines = (0..100).filter_map(|_| complaints.admit(one, now)).count();
        assert_eq!(lines, 8);
        assert_eq!(complaints.admit(other, now), Some(92));
    }
}
