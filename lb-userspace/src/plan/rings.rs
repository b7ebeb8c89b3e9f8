//! The slots of each group's ring: who owns them, and what they keep of what they were before.
//!
//! Who is in a ring is decided in `membership`; how owners spread over it in [`crate::maglev`].

use std::{collections::BTreeMap, sync::Arc};

use lb_common::Slot;

use super::GroupTable;
use crate::maglev::{self, Member};

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
}

impl RingCache {
    /// The ring of a group with these members. `previous` is the group in the tables so far.
    pub(super) fn ring(
        &self,
        group: &str,
        members: Vec<Member>,
        bits: u8,
        previous: Option<&GroupTable>,
    ) -> Ring {
        let before: &[Slot] = previous.map_or(&[], |group| &group.slots);
        let known = self.groups.get(group);
        let known = known.filter(|ring| ring.bits == bits && *ring.members == *members);
        if let Some(ring) = known {
            let unchanged = previous.is_some_and(|group| Arc::ptr_eq(&group.slots, &ring.slots));
            let mut ring = ring.clone();
            if !unchanged {
                ring.slots = shared(own(before, &ring.owners), previous);
            }
            return ring;
        }
        let owners: Arc<[u16]> = maglev::build(&members, bits).into();
        Ring {
            counts: count(&members, &owners),
            slots: shared(own(before, &owners), previous),
            members: members.into(),
            bits,
            owners,
        }
    }

    /// Keeps a ring for the next plan.
    pub(super) fn keep(&mut self, group: &str, ring: Ring) {
        self.groups.insert(group.to_owned(), ring);
    }
}

impl Ring {
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

/// The slots after their owners have changed: the one place that knows what a slot remembers.
///
/// In this version no slot is armed: it just changes owner, and keeps its epoch. Growth by a power
/// of two splits each slot in equal parts that inherit from it; otherwise a ring starts anew.
#[must_use]
pub fn own(previous: &[Slot], owners: &[u16]) -> Arc<[Slot]> {
    let parts = owners.len().checked_div(previous.len()).unwrap_or(0);
    let inherits = parts.is_power_of_two() && parts * previous.len() == owners.len();
    let shift = if inherits { parts.ilog2() } else { 0 };
    let ancestors: &[Slot] = if inherits { previous } else { &[] };
    owners
        .iter()
        .enumerate()
        .map(|(index, owner)| Slot {
            epoch: ancestors.get(index >> shift).map_or(0, |slot| slot.epoch),
            ..Slot::unarmed(*owner)
        })
        .collect()
}

/// The previous slots themselves when they are the same, so that `diff` need not compare them.
fn shared(slots: Arc<[Slot]>, previous: Option<&GroupTable>) -> Arc<[Slot]> {
    match previous {
        Some(group) if group.slots == slots => Arc::clone(&group.slots),
        _ => slots,
    }
}

fn count(members: &[Member], owners: &[u16]) -> Arc<[u32]> {
    let mut counts = vec![0_u32; usize::from(u16::MAX) + 1];
    for owner in owners {
        counts[usize::from(*owner)] += 1;
    }
    members.iter().map(|member| counts[usize::from(member.id)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_epoch() {
        let slot = |owner, epoch| Slot { epoch, ..Slot::unarmed(owner) };
        let armed = Slot { current: 2, home: 1, epoch: 9, flags: Slot::ARMED };
        let previous = [slot(1, 7), armed];
        let cases: &[(&[u16], &[Slot])] = &[
            (&[3, 2], &[slot(3, 7), slot(2, 9)]),
            (&[1, 2, 3, 4], &[slot(1, 7), slot(2, 7), slot(3, 9), slot(4, 9)]),
            (&[5], &[slot(5, 0)]),
            (&[], &[]),
        ];
        for (owners, expected) in cases {
            assert_eq!(*own(&previous, owners), **expected, "{owners:?}");
        }
        assert_eq!(*own(&[], &[4]), [slot(4, 0)]);
    }
}
