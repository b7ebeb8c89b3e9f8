//! PURE: which armed slots have been quiet for so long that they can disarm.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::Config,
    consistency,
    plan::{GroupTable, Tables},
};

/// Seconds that a group's slots stay armed unless a listener says something else.
const PATIENCE: u32 = 350;

/// Indices of armed slots that have seen no exception for the longest idle timeout of their group's
/// listeners. `seen` gives the second of the last exception of a slot.
#[must_use]
pub fn slots(
    config: &Config,
    tables: &Tables,
    now: u32,
    seen: impl Fn(u32) -> u32,
) -> BTreeSet<u32> {
    let mut patience: BTreeMap<&str, u32> = BTreeMap::new();
    for listener in &config.listeners {
        let timeout = u32::try_from(listener.idle_timeout.as_secs()).unwrap_or(u32::MAX / 4);
        let longest = patience.entry(&listener.target_group).or_default();
        *longest = timeout.max(*longest);
    }
    let quiet = |group: &GroupTable| {
        let timeout = patience.get(&*group.name).copied().unwrap_or(PATIENCE);
        let slots = (group.ring.base()..).zip(group.slots.iter());
        let armed = slots.filter(|(_, slot)| slot.is_armed()).map(|(index, _)| index);
        let quiet = armed.filter(|index| consistency::is_quiet(seen(*index), now, timeout));
        quiet.collect::<Vec<_>>()
    };
    tables.groups.values().flat_map(quiet).collect()
}
