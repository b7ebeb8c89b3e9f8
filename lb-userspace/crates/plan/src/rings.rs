//! The slots of each group's ring: who owns them, and what they keep of what they were before.
//!
//! `ring_membership` decides which targets are in a ring, [`crate::maglev`] how owners are spread
//! over it, and [`crate::consistency`] which slots are armed.

use std::sync::Arc;

use lb_common::Slot;

use super::{GroupTable, tables::same_slots};
use crate::{
    consistency::{self, Change},
    maglev::{self, Member},
};

/// A built ring.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    members: Arc<[Member]>,
    bits: u8,
    /// Slots of each member, in the order of `members`.
    counts: Arc<[u32]>,
    /// What the plan made of the owners; they are `current` of each.
    slots: Arc<[Slot]>,
    /// Number of armed ones.
    armed: usize,
    /// What was known when they were made of the owners.
    facts: Facts,
}

/// The inputs for the slots of a ring, in addition to their owners and their previous state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// See [`Change::arms`].
    pub(super) arms: bool,
    /// See [`Change::resets`].
    pub(super) resets: bool,
    /// The targets that flows may go to, in the order of the plan.
    pub(super) routable: Vec<u16>,
    /// Whether slots of it have been idle for long enough to disarm.
    pub(super) idle_slots: bool,
}

impl Ring {
    /// The ring of a group with these members. `last` is what the group had in the last plan: only
    /// when its members have changed it is built again. `previous` is the group in the tables so far.
    pub(super) fn of(
        last: Option<&Self>,
        members: Vec<Member>,
        bits: u8,
        previous: Option<&GroupTable>,
        facts: Facts,
        change: &Change<'_>,
    ) -> Self {
        let before: &[Slot] = previous.map_or(&[], |group| &group.slots);
        let known = last.filter(|ring| ring.bits == bits && *ring.members == *members);
        if let Some(ring) = known {
            let unchanged = previous.is_some_and(|group| Arc::ptr_eq(&group.slots, &ring.slots));
            // What a slot that is not armed makes of an owner that it has already is itself; what
            // any slot makes of what it was made of already, too.
            if unchanged && (ring.armed == 0 || ring.facts == facts && !facts.idle_slots) {
                return ring.clone();
            }
            let owners: Vec<u16> = ring.slots.iter().map(|slot| slot.current).collect();
            let slots = consistency::own(before, &owners, change);
            return Self { facts, ..ring.clone() }.with(slots, previous);
        }
        let owners = maglev::build(&members, bits);
        let slots = consistency::own(before, &owners, change);
        let ring = Self {
            counts: count(&members, &owners),
            slots: [].into(),
            armed: 0,
            facts,
            members: members.into(),
            bits,
        };
        ring.with(slots, previous)
    }

    /// The first ring of a group without members: these slots have no owner.
    pub(super) fn blank(bits: u8, slots: Arc<[Slot]>, facts: Facts) -> Self {
        Self { members: [].into(), bits, counts: [].into(), slots, armed: 0, facts }
    }

    /// The ring with these slots, or with the previous ones themselves when they are the same, so
    /// that `diff` need not compare them.
    fn with(self, slots: Arc<[Slot]>, previous: Option<&GroupTable>) -> Self {
        let armed = consistency::armed(&slots);
        let same = previous.filter(|group| same_slots(&group.slots, &slots));
        Self { slots: same.map_or(slots, |group| Arc::clone(&group.slots)), armed, ..self }
    }

    /// Number of armed slots.
    pub(super) const fn armed(&self) -> usize {
        self.armed
    }

    /// Its slots.
    pub(super) fn slots(&self) -> Arc<[Slot]> {
        Arc::clone(&self.slots)
    }

    /// Each member's id and its part of all slots.
    pub(super) fn shares(&self) -> impl Iterator<Item = (u16, f64)> {
        let all = f64::from(1_u32 << self.bits);
        let counts = self.members.iter().zip(self.counts.iter());
        counts.map(move |(member, count)| (member.id, f64::from(*count) / all))
    }
}

fn count(members: &[Member], owners: &[u16]) -> Arc<[u32]> {
    let mut counts = vec![0_u32; usize::from(u16::MAX) + 1];
    for owner in owners {
        counts[usize::from(*owner)] += 1;
    }
    members.iter().map(|member| counts[usize::from(member.id)]).collect()
}
