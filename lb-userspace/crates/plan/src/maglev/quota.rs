//! How many slots each member gets: Webster's method of apportionment, with at least one each.
//!
//! It is exact integer arithmetic, so that every machine gets the same numbers. For rings of at
//! least 100 slots a member, each quota is within 1 slot or 2 % of the exact share: rounding costs
//! at most half a slot, and the members whose share is below half a slot take at most 0.9 % from
//! the others together (weights of 1 to 1000).

use std::{cmp::Ordering, collections::BinaryHeap};

/// A candidate for one slot more or less: `weight / divisor`, compared without rounding.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Claim {
    weight: u64,
    divisor: u64,
    member: usize,
    /// Whether the smallest quotient comes first.
    smallest: bool,
}

impl Ord for Claim {
    fn cmp(&self, other: &Self) -> Ordering {
        let quotient = (self.weight * other.divisor).cmp(&(other.weight * self.divisor));
        let quotient = if self.smallest { quotient.reverse() } else { quotient };
        // A heap gives the greatest first; of equals, the first member is to win a slot and the
        // last one to lose one.
        let place = self.member.cmp(&other.member);
        quotient.then(if self.smallest { place } else { place.reverse() })
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Slots of each member, in the order of `weights` (1 or more each); their sum is `slots` unless
/// there are no members. With fewer slots than members the first ones get one each.
pub(super) fn quotas(weights: &[u32], slots: usize) -> Vec<u32> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if total == 0 {
        return vec![0; weights.len()];
    }
    if weights.len() >= slots {
        return (0..weights.len()).map(|i| u32::from(i < slots)).collect();
    }
    let slots = slots as u64;
    let mut quotas: Vec<u64> = weights
        .iter()
        .map(|weight| ((2 * slots * u64::from(*weight) + total) / (2 * total)).max(1))
        .collect();
    let sum: u64 = quotas.iter().sum();
    let smallest = sum > slots;
    let claim = |member: usize, quota: u64| Claim {
        weight: u64::from(weights[member]),
        divisor: if smallest { 2 * quota - 1 } else { 2 * quota + 1 },
        member,
        smallest,
    };
    let mut claims: BinaryHeap<Claim> = quotas
        .iter()
        .enumerate()
        .filter(|(_, quota)| !smallest || **quota > 1)
        .map(|(member, quota)| claim(member, *quota))
        .collect();
    for _ in 0..sum.abs_diff(slots) {
        let Some(Claim { member, .. }) = claims.pop() else {
            break;
        };
        let quota = &mut quotas[member];
        *quota = if smallest { *quota - 1 } else { *quota + 1 };
        if !smallest || *quota > 1 {
            claims.push(claim(member, *quota));
        }
    }
    quotas.into_iter().map(|quota| u32::try_from(quota).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::quotas;

    #[test]
    fn quotas_equal_websters_method() {
        let cases: &[(&[u32], usize, &[u32])] = &[
            (&[], 16, &[]),
            (&[7], 16, &[16]),
            (&[1, 1, 1], 16, &[6, 5, 5]),
            (&[1, 1, 1], 17, &[6, 6, 5]),
            (&[1, 2, 5], 16, &[2, 4, 10]),
            (&[1000, 1, 1], 16, &[14, 1, 1]),
            (&[3, 3, 3, 3], 2, &[1, 1, 0, 0]),
        ];
        for (weights, slots, expected) in cases {
            assert_eq!(quotas(weights, *slots), *expected, "{weights:?} of {slots}");
        }
    }
}
