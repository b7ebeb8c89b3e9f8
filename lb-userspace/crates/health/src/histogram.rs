//! A histogram of durations that many tasks write at a time: four buckets for each power of two.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets: up to 2^32 microseconds, more than an hour.
const BUCKETS: usize = 4 * 32;

/// Durations in microseconds.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

/// The bucket of a duration.
fn bucket(us: u64) -> usize {
    let us = us.max(1);
    let octave = us.ilog2();
    // The two bits below the highest one.
    let quarter = if octave >= 2 { us >> (octave - 2) & 3 } else { us << (2 - octave) & 3 };
    let index = u64::from(octave) * 4 + quarter;
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The end of a bucket: nothing in it is longer.
fn end(index: usize) -> u64 {
    let (octave, quarter) = (index / 4, index % 4);
    ((quarter as u64 + 5) << octave) / 4
}

impl Histogram {
    /// Counts a duration.
    pub(super) fn add(&self, us: u64) {
        if let Some(count) = self.counts.get(bucket(us)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Quantile in thousandths, at most a quarter too high; 0 without samples.
    pub(super) fn quantile(&self, per_thousand: u64) -> u64 {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() * per_thousand).div_ceil(1000);
        let mut seen = 0;
        for (index, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return end(index);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_its_bucket() {
        for us in (0..5000).chain([65_535, 65_536, 1 << 31, u64::MAX]) {
            let index = bucket(us);
            assert!(index < BUCKETS);
            if us < 1 << 31 {
                assert!(us <= end(index) && end(index) <= us + us / 4 + 2, "{us}: {}", end(index));
            }
        }
    }

    #[test]
    fn quantiles() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(500), 0);
        for us in 1..=1000 {
            histogram.add(us);
        }
        let (half, most) = (histogram.quantile(500), histogram.quantile(990));
        assert!((500..=640).contains(&half) && (990..=1280).contains(&most), "{half} {most}");
    }
}
