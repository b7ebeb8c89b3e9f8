//! PURE: which armed slots have been idle, or armed, for so long that they can disarm.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::Arc,
};

use lb_common::Slot;
use lb_plan::{GroupTable, Tables, consistency};

/// Seconds that a group's slots stay armed unless a listener says something else.
const PATIENCE: u32 = 350;

/// Indices of armed slots without an exception for the longest idle timeout of their group's
/// listeners, or whose time is `over`, which gets the group's id, index and slot. `seen` gives the
/// second of the last exception of a slot.
#[must_use]
pub fn slots(
    tables: &Tables,
    now: u32,
    seen: impl Fn(u32) -> u32,
    over: impl Fn(u16, u32, Slot) -> bool,
) -> BTreeSet<u32> {
    let mut patience: BTreeMap<u16, u32> = BTreeMap::new();
    for listener in tables.all_listeners() {
        let longest = patience.entry(listener.group).or_default();
        *longest = u32::from(listener.idle_timeout).max(*longest);
    }
    let idle_slots = |(id, group): (&u16, &GroupTable)| {
        let timeout = patience.get(id).copied().unwrap_or(PATIENCE);
        let idle_slots = armed_of(group).filter(|(index, slot)| {
            consistency::is_idle(seen(*index), now, timeout) || over(*id, *index, *slot)
        });
        idle_slots.map(|(index, _)| index).collect::<Vec<_>>()
    };
    tables.groups.iter().flat_map(idle_slots).collect()
}

fn armed_of(group: &GroupTable) -> impl Iterator<Item = (u32, Slot)> {
    let slots = (group.ring.base()..).zip(group.slots.iter().copied());
    slots.filter(|(_, slot)| slot.is_armed())
}

/// How long slots stay armed after a change, at most.
#[derive(Debug)]
pub struct ArmedAges {
    groups: HashMap<u16, GroupAges>,
    /// Seconds.
    limit: u32,
}

/// The armed slots of a group.
#[derive(Debug, Default)]
struct GroupAges {
    /// Its slots at the last inspection; plans share those of groups that have not changed.
    slots: Arc<[Slot]>,
    base: u32,
    ages: consistency::Ages,
}

impl ArmedAges {
    /// Nothing is known yet; slots may be armed for `limit` seconds.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { groups: HashMap::new(), limit }
    }

    /// Takes note of what is armed in second `now`. It is called for every plan, since a slot that
    /// changes and changes back is as old as its last change; groups that the plan did not change
    /// cost nothing.
    pub fn update(&mut self, tables: &Tables, now: u32) {
        let mut previous = mem::take(&mut self.groups);
        let mut update = |(id, group): (&u16, &GroupTable)| {
            let mut known = previous.remove(id).unwrap_or_default();
            let base = group.ring.base();
            if !Arc::ptr_eq(&known.slots, &group.slots) || known.base != base {
                known.ages.update(armed_of(group), now);
                (known.slots, known.base) = (Arc::clone(&group.slots), base);
            }
            (*id, known)
        };
        self.groups = tables.groups.iter().map(&mut update).collect();
    }

    /// Forgets all, since nothing is armed.
    pub(super) fn forget(&mut self) {
        self.groups.clear();
    }

    /// Whether a slot of a group has been armed for too long in second `now`.
    pub(super) fn over(&self, now: u32) -> impl Fn(u16, u32, Slot) -> bool {
        move |group, index, slot| {
            let known = self.groups.get(&group);
            known.is_some_and(|known| known.ages.is_over(index, slot, now, self.limit))
        }
    }
}

#[cfg(test)]
mod tests {
    use lb_common::RingRef;

    use super::*;

    #[test]
    fn the_age_of_slots_counts_from_their_last_change_with_and_without_updates() {
        let slot = |current, epoch| Slot { current, home: 9, epoch, flags: Slot::ARMED };
        let group = |slots: &[Slot]| GroupTable {
            name: "web".into(),
            ring: RingRef::NONE,
            slots: slots.into(),
        };
        let tables = |groups: &[(u16, &GroupTable)]| Tables {
            groups: groups.iter().map(|(id, group)| (*id, (*group).clone())).collect(),
            ..Tables::default()
        };
        let (still, first) = (group(&[slot(1, 5)]), group(&[Slot::unarmed(1), slot(2, 5)]));
        let mut ages = ArmedAges::new(10);
        ages.update(&tables(&[(1, &still), (2, &first)]), 100);
        let second = group(&[slot(2, 6), slot(2, 5)]);
        ages.update(&tables(&[(1, &still), (2, &second)]), 105);
        for (now, expected) in [(109, [false; 3]), (110, [true, false, true]), (115, [true; 3])] {
            let over = ages.over(now);
            let found = [over(1, 0, slot(1, 5)), over(2, 0, slot(2, 6)), over(2, 1, slot(2, 5))];
            assert_eq!(found, expected, "{now}");
        }
        // As it was before in the meantime, but not all the time.
        ages.update(&tables(&[(1, &still), (2, &first)]), 106);
        ages.update(&tables(&[(1, &still), (2, &second)]), 107);
        assert!(!ages.over(116)(2, 0, slot(2, 6)) && ages.over(117)(2, 0, slot(2, 6)));
        ages.update(&tables(&[(2, &second)]), 118);
        assert!(!ages.over(200)(1, 0, slot(1, 5)), "its group is gone");
        ages.forget();
        assert!(!ages.over(200)(2, 0, slot(2, 6)));
    }
}
