//! PURE: which slots are armed, their owners, and when they disarm. docs/consistency.md explains
//! the rule to operators, `lb_ebpf::recall` is what packets do in armed slots.
//!
//! It deliberately knows neither maps nor a clock: the caller says which targets are routable and
//! which slots are idle.

use std::sync::Arc;

use lb_common::Slot;

/// Seconds beyond the idle timeout that a slot stays armed: packets, marks and the agent look at
/// clocks of whole seconds.
const MARGIN: u32 = 2;

/// Inputs of the change of a group's slots.
#[derive(Clone, Copy)]
pub struct Change<'facts> {
    /// Whether flows of the group's previous owners are to be kept. Not where every flow is
    /// remembered (nat, fullnat, tracked UDP), or none (stateless UDP).
    pub arms: bool,
    /// Whether TCP flows of a removed target are to be reset.
    pub resets: bool,
    /// Whether flows that belong to a target may still go there.
    pub routable: &'facts dyn Fn(u16) -> bool,
    /// Whether an armed slot of the previous ring, by its index, has seen no exception for the idle
    /// timeout.
    pub idle_slots: &'facts dyn Fn(usize) -> bool,
    /// The epoch of slots that arm now: see [`epoch`].
    pub epoch: u16,
}

impl Change<'_> {
    /// A slot after its new owner is known.
    fn of(&self, slot: Slot, owner: u16) -> Slot {
        if !self.arms {
            return Slot { epoch: slot.epoch, ..Slot::unarmed(owner) };
        }
        if slot.is_armed() {
            return Slot { current: owner, home: self.home(slot.home, owner), ..slot };
        }
        let unarmed = Slot { epoch: slot.epoch, ..Slot::unarmed(owner) };
        // No flows, or flows of a removed target: nothing to keep.
        if slot.current == owner || slot.current == 0 {
            return unarmed;
        }
        let home = self.home(slot.current, owner);
        if home == owner {
            return unarmed;
        }
        Slot { current: owner, home, epoch: self.next(slot.epoch), flags: Slot::ARMED }
    }

    /// The target of flows that are not remembered. Flows of a removed home go to the new owner, or
    /// are reset (0).
    fn home(&self, home: u16, owner: u16) -> u16 {
        if home != 0 && (self.routable)(home) {
            home
        } else if self.resets {
            0
        } else {
            owner
        }
    }

    /// The epoch of a slot that arms again.
    const fn next(&self, last: u16) -> u16 {
        match self.epoch {
            epoch if epoch != last => epoch,
            u16::MAX => 1,
            epoch => epoch + 1,
        }
    }
}

/// The epoch of slots that arm in this second; never 0, which is that of flows whose listener
/// tracks all. It is the time and not a counter of the slot, since a listener that switches to
/// another group takes remembered flows from one ring to another: flows that were remembered in one
/// ring must not count in an epoch of the other. It comes again after 18 hours, and the longest
/// memory is two.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "less than 2^16 after the division")]
pub const fn epoch(now: u32) -> u16 {
    (now % u16::MAX as u32) as u16 + 1
}

/// The slots of a ring after their owners have changed.
///
/// Growth by a power of two splits each slot in equal parts that inherit from it; a ring of any
/// other length starts from scratch.
#[must_use]
pub fn own(previous: &[Slot], owners: &[u16], change: &Change<'_>) -> Arc<[Slot]> {
    let parts = owners.len().checked_div(previous.len()).unwrap_or(0);
    let inherits = parts.is_power_of_two() && parts * previous.len() == owners.len();
    let shift = if inherits { parts.ilog2() } else { 0 };
    let ancestors: &[Slot] = if inherits { previous } else { &[] };
    let before = |index: usize| {
        let ancestor = ancestors.get(index >> shift).copied().unwrap_or_default();
        if ancestor.is_armed() && (change.idle_slots)(index >> shift) {
            return Slot { epoch: ancestor.epoch, ..Slot::unarmed(ancestor.current) };
        }
        ancestor
    };
    let slots = owners.iter().enumerate();
    slots.map(|(index, owner)| change.of(before(index), *owner)).collect()
}

/// Number of armed slots.
#[must_use]
pub fn armed(slots: &[Slot]) -> usize {
    slots.iter().filter(|slot| slot.is_armed()).count()
}

/// Whether a slot that saw an exception in second `seen` may disarm in second `now` of the same
/// clock; seconds are compared modulo 2^32.
#[must_use]
pub const fn is_idle(seen: u32, now: u32, idle_timeout: u32) -> bool {
    let silence = now.wrapping_sub(seen);
    // Another CPU's clock may be a moment ahead.
    silence <= u32::MAX / 2 && silence > idle_timeout + MARGIN
}

/// Since when armed slots are unchanged. Packets can be forged, and forged packets could keep a
/// slot armed for ever. This clock starts with a change of the slot, and packets cannot reset it. A
/// new agent restarts it.
#[derive(Debug, Default)]
pub struct Ages {
    /// By index.
    since: Vec<(u32, Slot, u32)>,
    /// Second of the last update, and the age of the oldest then: most often no slot is old enough, and
    /// none has to be looked up.
    oldest: (u32, u32),
}

impl Ages {
    /// Records all armed slots, by index and in its order, in second `now`; others are forgotten.
    pub fn update(&mut self, armed: impl Iterator<Item = (u32, Slot)>, now: u32) {
        let previous = std::mem::take(&mut self.since);
        let mut previous = previous.into_iter().peekable();
        let since = |(index, slot)| {
            while previous.next_if(|(earlier, ..)| *earlier < index).is_some() {}
            match previous.next_if(|(known, ..)| *known == index) {
                Some((_, known, since)) if known == slot => (index, slot, since),
                _ => (index, slot, now),
            }
        };
        self.since = armed.map(since).collect();
        let ages = self.since.iter().map(|(.., since)| now.wrapping_sub(*since));
        self.oldest = (now, ages.max().unwrap_or_default());
    }

    /// Whether this slot has been armed for `limit` seconds since it changed last, as observed by
    /// [`Ages::update`].
    #[must_use]
    pub fn is_over(&self, index: u32, slot: Slot, now: u32, limit: u32) -> bool {
        let (updated, age) = self.oldest;
        if now.wrapping_sub(updated).saturating_add(age) < limit {
            return false;
        }
        let place = self.since.binary_search_by_key(&index, |(known, ..)| *known);
        place.is_ok_and(|place| {
            let (_, known, since) = self.since[place];
            known == slot && now.wrapping_sub(since) >= limit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_as_old_as_its_last_change() {
        let (one, other) = (armed_slot(2, 1, 8), armed_slot(3, 1, 8));
        let mut ages = Ages::default();
        assert!(!ages.is_over(7, one, 100, 0), "never seen");
        ages.update([(7, one), (9, one)].into_iter(), u32::MAX - 9);
        ages.update([(7, one), (9, other)].into_iter(), 20);
        assert!(ages.is_over(7, one, 20, 30) && !ages.is_over(7, one, 20, 31));
        assert!(!ages.is_over(7, other, 20, 30), "it has changed since");
        assert!(!ages.is_over(9, other, 49, 30) && ages.is_over(9, other, 50, 30));
        ages.update([(9, other)].into_iter(), 60);
        ages.update([(7, one)].into_iter(), 70);
        assert!(!ages.is_over(7, one, 99, 30), "it was not armed in between");
    }

    const fn slot(owner: u16, epoch: u16) -> Slot {
        Slot { epoch, ..Slot::unarmed(owner) }
    }

    const fn armed_slot(current: u16, home: u16, epoch: u16) -> Slot {
        Slot { current, home, epoch, flags: Slot::ARMED }
    }

    fn check(resets: bool, before: Slot, owner: u16, after: Slot) {
        // Targets 1 to 4 are routable, 9 is not.
        let change = Change {
            arms: true,
            resets,
            routable: &|id| (1..=4).contains(&id),
            idle_slots: &|_| false,
            epoch: 8,
        };
        assert_eq!(*own(&[before], &[owner], &change), [after], "{before:?} to {owner}");
    }

    #[test]
    fn a_slot_arms_when_its_owner_changes_and_may_still_have_flows() {
        for (before, owner, after) in [
            (slot(1, 7), 1, slot(1, 7)),
            (slot(1, 7), 2, armed_slot(2, 1, 8)),
            (slot(1, u16::MAX), 2, armed_slot(2, 1, 8)),
            // Twice in a second.
            (slot(1, 8), 2, armed_slot(2, 1, 9)),
            (slot(1, 7), 0, armed_slot(0, 1, 8)),
            // Its flows end with it.
            (slot(9, 7), 2, slot(2, 7)),
            (slot(9, 7), 0, slot(0, 7)),
            // It had no flows.
            (slot(0, 7), 2, slot(2, 7)),
        ] {
            check(false, before, owner, after);
        }
    }

    #[test]
    fn an_armed_slot_keeps_home_and_epoch() {
        for (before, owner, after) in [
            (armed_slot(2, 1, 8), 3, armed_slot(3, 1, 8)),
            // Some flows may be remembered with 2.
            (armed_slot(2, 1, 8), 1, armed_slot(1, 1, 8)),
            (armed_slot(2, 1, 8), 2, armed_slot(2, 1, 8)),
            // A removed home.
            (armed_slot(2, 9, 8), 2, armed_slot(2, 2, 8)),
            (armed_slot(2, 9, 8), 3, armed_slot(3, 3, 8)),
            // A removed owner.
            (armed_slot(9, 1, 8), 3, armed_slot(3, 1, 8)),
            (armed_slot(9, 9, 8), 3, armed_slot(3, 3, 8)),
            // The group has just stopped to reset flows.
            (armed_slot(2, 0, 8), 2, armed_slot(2, 2, 8)),
        ] {
            check(false, before, owner, after);
        }
    }

    #[test]
    fn flows_of_a_target_that_is_gone_can_be_reset() {
        for (before, owner, after) in [
            (slot(9, 7), 2, armed_slot(2, 0, 8)),
            (slot(9, 7), 0, slot(0, 7)),
            (armed_slot(2, 9, 8), 2, armed_slot(2, 0, 8)),
            (armed_slot(2, 0, 8), 3, armed_slot(3, 0, 8)),
            (slot(1, 7), 2, armed_slot(2, 1, 8)),
            (slot(0, 7), 2, slot(2, 7)),
        ] {
            check(true, before, owner, after);
        }
    }

    #[test]
    fn parts_of_a_slot_inherit_its_state() {
        let before = [slot(1, 7), armed_slot(2, 1, 9)];
        let change = Change {
            arms: true,
            resets: false,
            routable: &|_| true,
            idle_slots: &|number| number == 1,
            epoch: 8,
        };
        let still = Change { idle_slots: &|_| false, ..change };
        let cases: [(&Change<'_>, &[u16], &[Slot]); 4] = [
            (
                &still,
                &[1, 2, 2, 3],
                &[slot(1, 7), armed_slot(2, 1, 8), armed_slot(2, 1, 9), armed_slot(3, 1, 9)],
            ),
            // An idle one disarms before it changes.
            (&change, &[1, 2], &[slot(1, 7), slot(2, 9)]),
            (&change, &[1, 1, 2, 3], &[slot(1, 7), slot(1, 7), slot(2, 9), armed_slot(3, 2, 8)]),
            (&still, &[5], &[slot(5, 0)]),
        ];
        for (change, owners, after) in cases {
            assert_eq!(*own(&before, owners, change), *after, "{owners:?}");
        }
        assert_eq!(*own(&[], &[4], &still), [slot(4, 0)]);
        let never = Change { arms: false, ..still };
        assert_eq!(*own(&before, &[2, 3], &never), [slot(2, 7), slot(3, 9)]);
    }

    #[test]
    fn epochs_are_never_zero() {
        for (now, expected) in [(0, 1), (1, 2), (65_534, 65_535), (65_535, 1), (65_536, 2)] {
            assert_eq!(epoch(now), expected, "{now}");
        }
    }

    #[test]
    fn a_slot_is_idle_after_more_than_the_timeout() {
        for (seen, now, idle_slots) in [
            (100, 100, false),
            (100, 452, false),
            (100, 453, true),
            (101, 100, false),
            (u32::MAX - 10, 200, false),
            (u32::MAX - 10, 400, true),
        ] {
            assert_eq!(is_idle(seen, now, 350), idle_slots, "{seen} at {now}");
        }
    }
}
