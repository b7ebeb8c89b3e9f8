//! PURE: a random choice by weight.

/// A place by weight; `None` if no weight is above 0. `random` is 64 even bits: the error of a
/// share is below sum of weights / 2^64.
#[must_use]
pub fn weighted(weights: &[u32], random: u64) -> Option<usize> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut left = scaled(random, total);
    for (place, weight) in weights.iter().enumerate() {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return Some(place),
        }
    }
    None
}

/// An even number below `end` (0 if that is 0), by multiplication (Lemire, "Fast random integer
/// generation in an interval", 2019, without its correction).
pub(super) fn scaled(random: u64, end: u64) -> u64 {
    let product = u128::from(random) * u128::from(end);
    u64::try_from(product >> 64).unwrap_or_default()
}
