//! PURE: between how many and how many targets a group may have. Nothing else knows a bound.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Capacity limits, in targets. `min <= max` is checked where settings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The fewest targets.
    pub min: u32,
    /// The most targets.
    pub max: u32,
}

impl Limits {
    /// The nearest capacity within the limits. If `min` exceeds `max`, `max` wins: it is the limit
    /// of cost.
    #[must_use]
    pub fn clamp(self, capacity: u32) -> u32 {
        capacity.max(self.min).min(self.max)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} to {}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_stays_within_the_limits() {
        let cases = [(2, 5, 1, 2), (2, 5, 3, 3), (2, 5, 9, 5), (5, 2, 3, 2), (0, 0, 7, 0)];
        for (min, max, capacity, expected) in cases {
            assert_eq!(Limits { min, max }.clamp(capacity), expected, "{min} {max} {capacity}");
        }
    }
}
