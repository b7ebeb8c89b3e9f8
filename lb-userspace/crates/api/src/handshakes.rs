//! PURE: how fast TLS handshakes of one source, and of all, may follow each other. Each takes a
//! millisecond or so of the thread that answers the API.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Handshakes of one address, or one /64: as many at once, and one more each such time.
const ONE: Rate = Rate { burst: 32, each: Duration::from_millis(50) };

/// Those of all.
const ALL: Rate = Rate { burst: 128, each: Duration::from_micros(2500) };

/// Longest wait for a turn; who would wait longer is refused.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Sources with a rate of their own at a time; others share one rate.
const SOURCES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    each: Duration,
}

impl Rate {
    /// When the next one may begin, and what is reserved then (GCRA: the moment when all that has been
    /// reserved is paid for).
    fn next(self, reserved: Option<Instant>, now: Instant) -> (Instant, Instant) {
        let paid = reserved.map_or(now, |reserved| reserved.max(now));
        let begins = paid.checked_sub(self.each * (self.burst - 1)).map_or(now, |at| at.max(now));
        (begins, paid + self.each)
    }
}

/// The handshakes of one listener socket.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    all: Option<Instant>,
    of_one: HashMap<IpAddr, Instant>,
}

impl Handshakes {
    /// How long a handshake with this source has to wait; `None` when there are too many before it.
    pub(super) fn admit(&mut self, from: IpAddr, now: Instant) -> Option<Duration> {
        if self.of_one.len() >= SOURCES_MAX {
            self.of_one.retain(|_, reserved| *reserved > now);
        }
        let (by_one, of_one) = ONE.next(self.of_one.get(&from).copied(), now);
        let (by_all, of_all) = ALL.next(self.all, now);
        let wait = by_one.max(by_all).duration_since(now);
        if wait > WAIT_MAX {
            return None;
        }
        if self.of_one.len() < SOURCES_MAX || self.of_one.contains_key(&from) {
            self.of_one.insert(from, of_one);
        }
        self.all = Some(of_all);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn one_source_does_not_delay_another() {
        let mut handshakes = Handshakes::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..100).map(|_| handshakes.admit(source(1), now)).collect();
        let at_once = waits.iter().filter(|wait| **wait == Some(Duration::ZERO)).count();
        let refused = waits.iter().filter(|wait| wait.is_none()).count();
        // 32 at once, 40 in the two seconds after that.
        assert_eq!((at_once, refused), (32, 28));
        assert_eq!(handshakes.admit(source(2), now), Some(Duration::ZERO));
        // Refused ones cost nothing: it is served again when its turn comes.
        let later = now + Duration::from_secs(4);
        assert_eq!(handshakes.admit(source(1), later), Some(Duration::ZERO));
    }

    #[test]
    fn handshakes_and_known_sources_are_limited() {
        let mut handshakes = Handshakes::default();
        let now = Instant::now();
        let admitted =
            (0..100_000).filter(|number| handshakes.admit(source(*number), now).is_some()).count();
        assert_eq!(admitted, 128 + 800);
        for second in 0..200 {
            let now = now + Duration::from_secs(second);
            for number in 0..500 {
                let from = source(u32::try_from(second).unwrap() * 1000 + number);
                let _wait = handshakes.admit(from, now);
            }
            assert!(handshakes.of_one.len() <= SOURCES_MAX);
        }
    }
}
