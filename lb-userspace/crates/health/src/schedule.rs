//! PURE: when the probes of one target are due. It reads no clock.

use std::{hash::Hasher, time::Duration};

use lb_config::TargetKey;
use siphasher::sip::SipHasher13;
use tokio::time::Instant;

/// The first probe comes within this time: soon, but not all first probes at once.
pub const FIRST_PROBE_WAIT_MAX: Duration = Duration::from_millis(500);

/// Each probe starts within this part of the interval around its point on an even grid, so that two
/// neighbours are between 95 % and 105 % of the interval apart and nothing drifts.
const JITTER_DIVISOR: u32 = 40;

/// Guards the arithmetic against an interval of zero, which validation refuses.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The due times of one target.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// The current point of the grid, without jitter.
    point: Instant,
    due: Instant,
    random: Random,
}

impl Schedule {
    pub(super) fn new(start: Instant, interval: Duration, mut random: Random) -> Self {
        let interval = interval.max(INTERVAL_MIN);
        let point = start + random.below(interval.min(FIRST_PROBE_WAIT_MAX));
        Self { interval, point, due: point, random }
    }

    /// When the next probe should start.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Goes on to the next probe after one that ended at `now`. Points of the grid that are more
    /// than half an interval in the past are skipped, not made up for: after a stall of the agent
    /// one probe says as much as ten.
    pub(super) fn advance(&mut self, now: Instant) {
        self.point += self.interval;
        let behind = now.saturating_duration_since(self.point) + self.interval / 2;
        let skipped = behind.as_nanos() / self.interval.as_nanos();
        self.point += self.interval * u32::try_from(skipped).unwrap_or(u32::MAX);
        let reach = self.interval / JITTER_DIVISOR;
        self.due = self.point - reach + self.random.below(reach * 2);
    }
}

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): enough
/// to spread probes, useless for secrets.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator that is the same for a target in every run.
    pub(super) fn for_target(target: &TargetKey) -> Self {
        let mut hasher = SipHasher13::new();
        std::hash::Hash::hash(target, &mut hasher);
        Self(hasher.finish())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time from zero up to, but not including, `end` (zero for zero).
    fn below(&mut self, end: Duration) -> Duration {
        let nanos = (u128::from(self.next()) * end.as_nanos()) >> 64;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn random(port: u16) -> Random {
        Random::for_target(&TargetKey {
            group: "web".into(),
            address: Ipv4Addr::LOCALHOST.into(),
            port,
        })
    }

    #[test]
    fn first_probes_are_spread_evenly() {
        for interval in [Duration::from_millis(100), INTERVAL] {
            let start = Instant::now();
            let span = interval.min(FIRST_PROBE_WAIT_MAX);
            let mut tenths = [0_u32; 10];
            for port in 0..1000 {
                let wait = Schedule::new(start, interval, random(port)).due() - start;
                assert!(wait < span, "{wait:?} of {interval:?}");
                tenths[usize::try_from(wait.as_nanos() * 10 / span.as_nanos()).unwrap()] += 1;
            }
            assert!(tenths.iter().all(|count| (60..=140).contains(count)), "{tenths:?}");
        }
    }

    #[test]
    fn gaps_are_within_five_percent_and_nothing_drifts() {
        let mut schedule = Schedule::new(Instant::now(), INTERVAL, random(1));
        let first = schedule.due();
        let (mut shortest, mut longest) = (INTERVAL, INTERVAL);
        for number in 1..=10_000 {
            let previous = schedule.due();
            // Every probe takes some time, which must not add up.
            schedule.advance(previous + Duration::from_secs(2));
            let gap = schedule.due() - previous;
            shortest = shortest.min(gap);
            longest = longest.max(gap);
            let grid = first + INTERVAL * number;
            let reach = INTERVAL / JITTER_DIVISOR;
            assert!(schedule.due() >= grid - reach && schedule.due() < grid + reach);
        }
        assert!(shortest >= INTERVAL.mul_f64(0.95) && shortest < INTERVAL.mul_f64(0.96));
        assert!(longest <= INTERVAL.mul_f64(1.05) && longest > INTERVAL.mul_f64(1.04));
    }

    #[test]
    fn missed_points_are_skipped() {
        // (end of a probe, in intervals after it was due; next probe, likewise)
        let cases = [(0.1, 1.0), (1.0, 1.0), (1.4, 1.0), (1.6, 2.0), (7.4, 7.0), (100.7, 101.0)];
        for (end, expected) in cases {
            let mut schedule = Schedule::new(Instant::now(), INTERVAL, random(2));
            let first = schedule.due();
            schedule.advance(first + INTERVAL.mul_f64(end));
            let next = (schedule.due() - first).as_secs_f64() / INTERVAL.as_secs_f64();
            assert!((next - expected).abs() < 0.026, "{end}: {next}, not {expected}");
        }
    }

    #[test]
    fn an_interval_of_zero_does_not_panic() {
        let mut schedule = Schedule::new(Instant::now(), Duration::ZERO, random(3));
        let first = schedule.due();
        schedule.advance(first);
        assert!(schedule.due() > first);
    }
}
