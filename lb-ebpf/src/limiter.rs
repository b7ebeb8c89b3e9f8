//! A rate limit per CPU: the generic cell rate algorithm (ITU-T I.371), which needs one number.

use lb_common::{Bucket, Limit, limits::REMEMBER_RATE};

/// Nanoseconds of allowance that may be used at once.
const BURST: u64 = 1_000_000_000;

/// How many of something a CPU may do in a second; `icmp_rate` is the configuration's.
#[must_use]
#[inline(always)]
pub const fn rate(limit: Limit, icmp_rate: u32) -> u32 {
    match limit {
        Limit::Remember | Limit::RememberTracked => REMEMBER_RATE,
        Limit::EchoReply | Limit::TooBig | Limit::Reset => icmp_rate,
    }
}

/// Whether one more of `rate` a second may happen at `now`, in nanoseconds; if so, it has.
#[must_use]
#[inline(always)]
pub fn take(bucket: &mut Bucket, now: u64, rate: u32) -> bool {
    if rate == 0 {
        return false;
    }
    let start = bucket.used_until.max(now.saturating_sub(BURST));
    let end = start + BURST / u64::from(rate);
    if end > now {
        return false;
    }
    bucket.used_until = end;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &mut Bucket, now: u64, rate: u32, tries: usize) -> usize {
        (0..tries).filter(|_| take(bucket, now, rate)).count()
    }

    #[test]
    fn a_second_of_allowance_and_then_the_rate() {
        let mut bucket = Bucket::default();
        let start = 10 * BURST;
        assert_eq!(taken(&mut bucket, start, 100, 1000), 100);
        assert_eq!(taken(&mut bucket, start + BURST / 100 - 1, 100, 1000), 0);
        assert_eq!(taken(&mut bucket, start + BURST / 100, 100, 1000), 1);
        assert_eq!(taken(&mut bucket, start + 5 * BURST, 100, 1000), 100);
    }

    #[test]
    fn nothing_at_rate_zero_and_nothing_breaks_at_the_ends() {
        assert!(!take(&mut Bucket::default(), u64::MAX, 0));
        assert!(!take(&mut Bucket { used_until: u64::MAX - BURST }, 0, 1));
        assert!(take(&mut Bucket::default(), u64::MAX, u32::MAX));
    }
}
