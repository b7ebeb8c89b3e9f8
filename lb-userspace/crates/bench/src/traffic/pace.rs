//! PURE: when how many packets are due.

use std::time::Duration;

/// Most packets of one request to the kernel, which cannot be stopped: some 20 ms of one CPU.
const CALL_MAX: u64 = 1 << 16;
/// The longest sleep, so that a wish to stop is heard.
const WAIT_MAX: Duration = Duration::from_millis(100);
const WAIT_MIN: Duration = Duration::from_micros(500);

/// How fast, how many, how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Packets per second; `None` is as fast as possible.
    pub(super) rate: Option<u64>,
    /// Packets in all.
    pub(super) count: u64,
    /// Time in all.
    pub(super) duration: Duration,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send so many packets now.
    Send(u32),
    /// Nothing for so long.
    Wait(Duration),
    /// All is done.
    End,
}

impl Pace {
    /// The part of one of `threads` threads, counted from 0.
    pub(super) fn share(self, thread: u64, threads: u64) -> Self {
        let part = |whole: u64| {
            let until = |number: u64| {
                let product = u128::from(whole) * u128::from(number) / u128::from(threads);
                u64::try_from(product).unwrap_or(u64::MAX)
            };
            until(thread + 1) - until(thread)
        };
        Self { rate: self.rate.map(part), count: part(self.count), ..self }
    }

    /// What to do `elapsed` after the start, when `sent` packets are gone.
    pub(super) fn next(self, elapsed: Duration, sent: u64) -> Step {
        let over = elapsed >= self.duration;
        let Some(rate) = self.rate else {
            return match self.count.saturating_sub(sent) {
                0 => Step::End,
                _ if over => Step::End,
                left => send(left),
            };
        };
        if sent >= self.count || rate == 0 {
            return Step::End;
        }
        let due = due(rate, elapsed.min(self.duration)).min(self.count).saturating_sub(sent);
        let portion = portion(rate);
        if over {
            // Who lags behind at the end does not run on.
            return if due == 0 || due > 2 * portion { Step::End } else { send(due) };
        }
        if due >= portion.min(self.count - sent) {
            return send(due);
        }
        let wanted = sent.saturating_add(portion).min(self.count);
        let at = u128::from(wanted) * 1_000_000_000 / u128::from(rate) + 1;
        let at = Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX)).min(self.duration);
        Step::Wait(at.saturating_sub(elapsed).clamp(WAIT_MIN, WAIT_MAX))
    }
}

fn send(packets: u64) -> Step {
    Step::Send(u32::try_from(packets.min(CALL_MAX)).unwrap_or(u32::MAX))
}

fn due(rate: u64, elapsed: Duration) -> u64 {
    u64::try_from(u128::from(rate) * elapsed.as_nanos() / 1_000_000_000).unwrap_or(u64::MAX)
}

/// Packets that are sent in one go: those of a millisecond, or, at low rates, up to a batch of the
/// kernel's (64), as long as that is no more than a fiftieth of a second.
fn portion(rate: u64) -> u64 {
    (rate / 1000).max((rate / 50).min(64)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends without cost, sleeps exactly; returns packets and time.
    fn run(pace: Pace) -> (u64, Duration) {
        let (mut elapsed, mut sent) = (Duration::ZERO, 0);
        for _ in 0..1_000_000 {
            match pace.next(elapsed, sent) {
                Step::Send(packets) => sent += u64::from(packets),
                Step::Wait(pause) => elapsed += pause,
                Step::End => return (sent, elapsed),
            }
        }
        panic!("{pace:?} does not end: {sent} packets in {elapsed:?}");
    }

    #[test]
    fn rate_times_duration_packets_are_sent() {
        for rate in [1, 3, 49, 50, 999, 10_000, 63_999, 1_000_000, 1_000_000_000] {
            let duration = Duration::from_secs(2);
            let (sent, elapsed) = run(Pace { rate: Some(rate), count: u64::MAX, duration });
            assert_eq!(sent, rate * 2, "{rate}");
            assert!(elapsed < duration + WAIT_MAX, "{rate}: {elapsed:?}");
        }
    }

    #[test]
    fn the_count_ends_it() {
        for (rate, count) in
            [(Some(10), 7), (Some(1000), 1001), (Some(1_000_000), 1), (None, 70_000)]
        {
            let (sent, elapsed) = run(Pace { rate, count, duration: Duration::from_mins(1) });
            assert_eq!(sent, count);
            assert!(elapsed <= Duration::from_millis(1100), "{rate:?} {count}: {elapsed:?}");
        }
    }

    #[test]
    fn a_slow_sender_stops_in_time() {
        let pace =
            Pace { rate: Some(1_000_000), count: u64::MAX, duration: Duration::from_secs(1) };
        assert_eq!(pace.next(Duration::from_secs(1), 500_000), Step::End);
        assert_eq!(pace.next(Duration::from_secs(1), 999_000), Step::Send(1000));
        let fastest = Pace { rate: None, ..pace };
        assert_eq!(fastest.next(Duration::from_secs(1), 5), Step::End);
        assert_eq!(fastest.next(Duration::ZERO, 5), Step::Send(1 << 16));
    }

    #[test]
    fn shares_add_up() {
        let pace = Pace { rate: Some(10), count: 1001, duration: Duration::from_secs(1) };
        let shares: Vec<Pace> = (0..3).map(|thread| pace.share(thread, 3)).collect();
        assert_eq!(shares.iter().map(|share| share.count).sum::<u64>(), 1001);
        assert_eq!(shares.iter().filter_map(|share| share.rate).sum::<u64>(), 10);
        assert_eq!(pace.share(0, 1), pace);
    }
}
