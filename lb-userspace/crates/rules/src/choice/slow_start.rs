//! PURE: slow start: a target that begins to serve gets its share little by little.

use std::time::Duration;

/// Effective weights are counted in thousandths of a weight.
pub const WEIGHT_UNIT: u32 = 1000;

/// The weight in units of 1 / [`WEIGHT_UNIT`]: it grows linearly with `elapsed`, the time since the
/// target began to serve. A weight above 0 never becomes 0. `duration` 0 means no slow start.
#[must_use]
pub fn effective_weight(weight: u32, duration: Duration, elapsed: Duration) -> u32 {
    let full = weight.saturating_mul(WEIGHT_UNIT);
    if elapsed >= duration {
        return full;
    }
    let share = u128::from(full) * elapsed.as_millis() / duration.as_millis().max(1);
    u32::try_from(share).unwrap_or(full).clamp(full.min(1), full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_grows_linearly() {
        let cases = [
            (10, 30, 0, 1),
            (10, 30, 3, 1_000),
            (10, 30, 15, 5_000),
            (10, 30, 30, 10_000),
            (10, 30, 31, 10_000),
            (10, 0, 0, 10_000),
            (1, 900, 0, 1),
            (0, 30, 0, 0),
            (0, 30, 31, 0),
        ];
        for (weight, duration, elapsed, expected) in cases {
            let (duration, elapsed) = (Duration::from_secs(duration), Duration::from_secs(elapsed));
            assert_eq!(
                effective_weight(weight, duration, elapsed),
                expected,
                "{weight} {elapsed:?}"
            );
        }
    }
}
