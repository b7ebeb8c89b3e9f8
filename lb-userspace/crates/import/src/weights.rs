//! Weights in the scale of xelb, where 100 is the weight of a target that says none.

use lb_common::limits::WEIGHT_MAX;

/// What a target has that says none.
const USUAL: u64 = 100;

/// The weight of each server, `None` for the usual one, and how the scale changed.
pub(crate) fn scaled(weights: &[u32]) -> (Vec<Option<u32>>, Option<String>) {
    let taking: Vec<u32> = weights.iter().copied().filter(|weight| *weight > 0).collect();
    let most = u64::from(taking.iter().copied().max().unwrap_or(0));
    if taking.iter().all(|weight| u64::from(*weight) == most) {
        let usual = |weight: &u32| (*weight == 0).then_some(0);
        return (weights.iter().map(usual).collect(), None);
    }
    let limit = u64::from(WEIGHT_MAX);
    let factor = [USUAL, 10, 1].into_iter().find(|factor| most * factor <= limit);
    let scale = |weight: &u32| {
        let weight = u64::from(*weight);
        let scaled = match factor {
            Some(factor) => weight * factor,
            None if weight == 0 => 0,
            None => (weight * limit / most).max(1),
        };
        Some(u32::try_from(scaled).unwrap_or(WEIGHT_MAX))
    };
    let said = match factor {
        Some(1) => None,
        Some(factor) => Some(format!(
            "weights are {factor} times those of the input: a target without `weight` has {USUAL}"
        )),
        None => Some(format!("weights are scaled down: the largest of xelb is {WEIGHT_MAX}")),
    };
    (weights.iter().map(scale).collect(), said)
}
