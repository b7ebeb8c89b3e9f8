//! PURE: the target with the fewest outstanding requests for its weight.

use std::cmp::Ordering;

use super::random::scaled;

/// What a target has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its weight; 0 is never chosen.
    pub weight: u32,
    /// Requests that it has not answered yet.
    pub outstanding: u32,
}

impl Load {
    /// Compares (outstanding + 1) / weight, without rounding.
    fn compare(self, other: Self) -> Ordering {
        let own = (u64::from(self.outstanding) + 1) * u64::from(other.weight);
        own.cmp(&((u64::from(other.outstanding) + 1) * u64::from(self.weight)))
    }
}

/// The least loaded target of all; among equals, `random` decides.
#[must_use]
pub fn exact(loads: &[Load], random: u64) -> Option<usize> {
    let start = index(random, loads.len());
    let places = (start..loads.len()).chain(0..start).filter(|place| loads[*place].weight > 0);
    places.min_by(|one, other| loads[*one].compare(loads[*other]))
}

/// The less loaded of two random targets (Mitzenmacher, "The power of two choices in randomized
/// load balancing", 2001): as good as `exact` where counters of other workers are old, since not
/// all workers run to the same target.
#[must_use]
pub fn two_choices(loads: &[Load], random: u64) -> Option<usize> {
    let count = loads.iter().filter(|load| load.weight > 0).count();
    let nth = |nth| loads.iter().enumerate().filter(|(_, load)| load.weight > 0).nth(nth);
    // The halves of the random number are independent of each other.
    let first = index(random << 32, count);
    let (one, one_load) = nth(first)?;
    let second = index(random & !0xffff_ffff, count.saturating_sub(1));
    let second = second + usize::from(second >= first);
    let Some((other, other_load)) = nth(second) else { return Some(one) };
    Some(if other_load.compare(*one_load).is_lt() { other } else { one })
}

fn index(random: u64, count: usize) -> usize {
    usize::try_from(scaled(random, count as u64)).unwrap_or_default()
}
