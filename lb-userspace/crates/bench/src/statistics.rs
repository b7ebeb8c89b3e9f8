//! PURE: what batches say of a packet's cost.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Picoseconds of a nanosecond: the unit of the histogram.
const UNIT: f64 = 1000.0;

/// The largest sample that is distinguished from larger ones: a millisecond, in picoseconds.
const LARGEST: u64 = 1_000_000_000;

/// Digits that the histogram keeps: within a thousandth.
const DIGITS: u8 = 3;

/// Nanoseconds a packet, one sample for each batch.
#[derive(Clone, Debug)]
pub(super) struct Samples(Histogram<u64>);

/// How the samples of a cell are distributed, in nanoseconds a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The quickest batch.
    pub min: f64,
    /// The median batch.
    pub p50: f64,
    /// Nine of ten batches took no longer.
    pub p90: f64,
    /// 99 of 100 batches took no longer.
    pub p99: f64,
    /// The slowest batch.
    pub max: f64,
}

impl Samples {
    pub(super) fn new() -> Self {
        // Fails for more than five digits only, and for bounds that are none.
        let histogram = Histogram::new_with_bounds(1, LARGEST, DIGITS);
        Self(histogram.unwrap_or_else(|error| unreachable!("{DIGITS} digits: {error}")))
    }

    /// Adds a sample. What is below nothing, which a program that costs nothing shows half of the
    /// time, counts as nothing.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least zero")]
    pub(super) fn add(&mut self, nanoseconds: f64) {
        self.0.saturating_record((nanoseconds * UNIT).round().max(0.0) as u64);
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn summary(&self) -> Summary {
        let at = |percent: f64| nanoseconds(self.0.value_at_percentile(percent));
        Summary {
            min: nanoseconds(self.0.min()),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            max: nanoseconds(self.0.max()),
        }
    }
}

/// To a tenth: the clock and the machine give no more.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn nanoseconds(picoseconds: u64) -> f64 {
    (picoseconds as f64 / UNIT * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "rounded to tenths")]
    fn percentiles_are_those_of_the_samples() {
        let mut samples = Samples::new();
        for sample in (1..=100).rev() {
            samples.add(f64::from(sample));
        }
        let Summary { min, p50, p90, p99, max } = samples.summary();
        assert_eq!([min, p50, p90, p99, max], [1.0, 50.0, 90.0, 99.0, 100.0]);
        assert_eq!(samples.len(), 100);
    }

    #[test]
    fn less_than_nothing_is_nothing() {
        let mut samples = Samples::new();
        samples.add(-1.5);
        samples.add(0.26);
        let summary = samples.summary();
        assert_eq!((summary.min, summary.max), (0.0, 0.3));
    }
}
