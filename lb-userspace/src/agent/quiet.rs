//! PURE: which armed slots have been quiet for so long, or armed for so long, that they can disarm.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::Slot;

use crate::{
    consistency,
    plan::{GroupTable, Tables},
};

/// Seconds that a group's slots stay armed unless a listener says something else.
const PATIENCE: u32 = 350;

/// Indices of armed slots that have seen no exception for the longest idle timeout of their group's
/// listeners, or whose time is `over`. `seen` gives the second of the last exception of a slot.
#[must_use]
pub fn slots(
    tables: &Tables,
    now: u32,
    seen: impl Fn(u32) -> u32,
    over: impl Fn(u32, Slot) -> bool,
) -> BTreeSet<u32> {
    let mut patience: BTreeMap<u16, u32> = BTreeMap::new();
    for listener in tables.all_listeners() {
        let longest = patience.entry(listener.group).or_default();
        *longest = u32::from(listener.idle_timeout).max(*longest);
    }
    let quiet = |(id, group): (&u16, &GroupTable)| {
        let timeout = patience.get(id).copied().unwrap_or(PATIENCE);
        let quiet = armed_of(group).filter(|(index, slot)| {
            consistency::is_quiet(seen(*index), now, timeout) || over(*index, *slot)
        });
        quiet.map(|(index, _)| index).collect::<Vec<_>>()
    };
    tables.groups.iter().flat_map(quiet).collect()
}

/// All armed slots, by index.
pub(super) fn armed(tables: &Tables) -> impl Iterator<Item = (u32, Slot)> {
    tables.groups.values().flat_map(armed_of)
}

fn armed_of(group: &GroupTable) -> impl Iterator<Item = (u32, Slot)> {
    let slots = (group.ring.base()..).zip(group.slots.iter().copied());
    slots.filter(|(_, slot)| slot.is_armed())
}

/// How long slots stay armed after a change, at most.
#[derive(Debug)]
pub(super) struct ArmedAges {
    ages: consistency::Ages,
    /// Seconds.
    limit: u32,
}

impl ArmedAges {
    pub(super) fn new(limit: u32) -> Self {
        Self { ages: consistency::Ages::default(), limit }
    }

    /// Takes note of what is armed in second `now`. It is asked for every plan, since a slot that
    /// changes and changes back is as old as that.
    pub(super) fn look(&mut self, tables: &Tables, now: u32) {
        self.ages.look(armed(tables), now);
    }

    /// Whether a slot has been armed for too long in second `now`.
    pub(super) fn over(&self, now: u32) -> impl Fn(u32, Slot) -> bool {
        move |index, slot| self.ages.is_over(index, slot, now, self.limit)
    }
}
