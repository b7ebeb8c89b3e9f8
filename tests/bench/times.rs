//! PURE: how measured times are distributed.

use std::fmt;

use serde::Serialize;

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "names of the JSON, with their units")]
pub(crate) struct Times {
    median_us: u64,
    p95_us: u64,
    max_us: u64,
}

impl Times {
    /// Of these samples, in microseconds.
    pub(crate) fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let at = |part: usize| {
            let last = samples.len().saturating_sub(1);
            samples.get(last * part / 100).copied().unwrap_or_default()
        };
        Self { median_us: at(50), p95_us: at(95), max_us: at(100) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median_us, p95_us, max_us } = self;
        write!(formatter, "median {median_us} us, 95 % within {p95_us} us, longest {max_us} us")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_samples() {
        let times = Times::of((1..=101).rev().collect());
        assert_eq!(times, Times { median_us: 51, p95_us: 96, max_us: 101 });
        assert_eq!(Times::of(Vec::new()), Times { median_us: 0, p95_us: 0, max_us: 0 });
    }
}
