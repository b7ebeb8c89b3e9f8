//! PURE: which target group of a forward action gets a request.

use crate::{
    action::{Forward, WeightedGroup},
    choice, limits,
};

/// The target group of a request.
///
/// `kept` is the group that its cookie names, if that is valid. A client stays with a group whose
/// weight has become 0, and leaves one that the action no longer has. Otherwise the weights decide:
/// `random` is 64 even bits. `None` only for an action that `check` refuses.
#[must_use]
pub fn target_group<'a>(
    forward: &'a Forward,
    kept: Option<&str>,
    random: u64,
) -> Option<&'a WeightedGroup> {
    let groups = &forward.target_groups;
    let kept = kept.filter(|_| forward.stickiness.is_some());
    if let Some(group) = groups.iter().find(|group| Some(group.name.as_str()) == kept) {
        return Some(group);
    }
    let mut weights = [0; limits::TARGET_GROUPS_MAX];
    for (weight, group) in weights.iter_mut().zip(groups) {
        *weight = group.weight;
    }
    groups.get(choice::weighted(&weights, random)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn forward(weights: &[(&str, u32)], stickiness: Option<u64>) -> Forward {
        let group = |(name, weight): &(&str, u32)| WeightedGroup {
            name: (*name).to_owned(),
            weight: *weight,
        };
        let stickiness = stickiness.map(Duration::from_secs);
        Forward { target_groups: weights.iter().map(group).collect(), stickiness }
    }

    #[test]
    fn a_client_stays_with_its_group_and_others_are_spread_by_weight() {
        let last = u64::MAX;
        let cases = [
            (Some(60), None, 0, Some("a")),
            (Some(60), None, last / 100 * 89, Some("a")),
            (Some(60), None, last / 100 * 91, Some("b")),
            (Some(60), None, last, Some("b")),
            (Some(60), Some("b"), 0, Some("b")),
            (Some(60), Some("zero"), 0, Some("zero")),
            (Some(60), Some("gone"), 0, Some("a")),
            (None, Some("b"), 0, Some("a")),
        ];
        for (stickiness, kept, random, expected) in cases {
            let forward = forward(&[("a", 90), ("zero", 0), ("b", 10)], stickiness);
            let found = target_group(&forward, kept, random).map(|group| group.name.as_str());
            assert_eq!(found, expected, "{stickiness:?} {kept:?} {random}");
        }
        assert_eq!(target_group(&forward(&[("a", 0)], None), None, 0), None);
    }
}
