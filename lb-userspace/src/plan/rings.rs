//! The slots of each group's ring: who owns them, and what they keep of what they were before.
//!
//! Who is in a ring is decided in `membership`; how owners spread over it in [`crate::maglev`]; which
//! slots are armed in [`crate::consistency`].

use std::{collections::BTreeMap, sync::Arc};

use lb_common::Slot;

use super::GroupTable;
use crate::{
    consistency::{self, Change},
    maglev::{self, Member},
};

/// The rings of the last plan, by the name of their group: only a group whose members have changed
/// is built again.
#[derive(Clone, Debug, Default)]
pub struct RingCache {
    groups: BTreeMap<String, Ring>,
}

/// A built ring.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    members: Arc<[Member]>,
    bits: u8,
    owners: Arc<[u16]>,
    /// Slots of each member, in the order of `members`.
    counts: Arc<[u32]>,
    /// What the plan made of the owners.
    slots: Arc<[Slot]>,
    /// Number of armed ones.
    armed: usize,
}

impl RingCache {
    /// The ring of a group with these members. `previous` is the group in the tables so far.
    pub(super) fn ring(
        &self,
        group: &str,
        members: Vec<Member>,
        bits: u8,
        previous: Option<&GroupTable>,
        change: &Change<'_>,
    ) -> Ring {
        let before: &[Slot] = previous.map_or(&[], |group| &group.slots);
        let known = self.groups.get(group);
        let known = known.filter(|ring| ring.bits == bits && *ring.members == *members);
        if let Some(ring) = known {
            let unchanged = previous.is_some_and(|group| Arc::ptr_eq(&group.slots, &ring.slots));
            // What a slot that is not armed makes of an owner that it has already is itself.
            if unchanged && ring.armed == 0 {
                return ring.clone();
            }
            return ring.clone().with(consistency::own(before, &ring.owners, change), previous);
        }
        let owners: Arc<[u16]> = maglev::build(&members, bits).into();
        let slots = consistency::own(before, &owners, change);
        let ring = Ring {
            counts: count(&members, &owners),
            slots: [].into(),
            armed: 0,
            members: members.into(),
            bits,
            owners,
        };
        ring.with(slots, previous)
    }

    /// Number of armed slots of all rings.
    #[must_use]
    pub fn armed(&self) -> usize {
        self.groups.values().map(|ring| ring.armed).sum()
    }

    /// Keeps a ring for the next plan.
    pub(super) fn keep(&mut self, group: &str, ring: Ring) {
        self.groups.insert(group.to_owned(), ring);
    }
}

impl Ring {
    /// The ring with these slots, or with the previous ones themselves when they are the same, so
    /// that `diff` need not compare them.
    fn with(self, slots: Arc<[Slot]>, previous: Option<&GroupTable>) -> Self {
        let armed = consistency::armed(&slots);
        let same = previous.filter(|group| group.slots == slots);
        Self { slots: same.map_or(slots, |group| Arc::clone(&group.slots)), armed, ..self }
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
