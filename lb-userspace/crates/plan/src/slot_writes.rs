//! Slots to be written: some of a ring, or all of it without a copy of them.

use std::sync::Arc;

use lb_common::Slot;

/// Slots, each at its index in [`lb_common::ring::Rings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotWrites {
    /// All slots of a ring.
    Ring {
        /// Index of the first one.
        base: u32,
        /// They.
        slots: Arc<[Slot]>,
    },
    /// Slots anywhere.
    Each(Vec<(u32, Slot)>),
}

impl SlotWrites {
    /// Number of slots.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ring { slots, .. } => slots.len(),
            Self::Each(slots) => slots.len(),
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slots with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Slot)> + '_ {
        let (base, ring, each): (_, &[Slot], &[_]) = match self {
            Self::Ring { base, slots } => (*base, slots, &[]),
            Self::Each(slots) => (0, &[], slots),
        };
        (base..).zip(ring.iter().copied()).chain(each.iter().copied())
    }
}

impl FromIterator<(u32, Slot)> for SlotWrites {
    fn from_iter<I: IntoIterator<Item = (u32, Slot)>>(slots: I) -> Self {
        Self::Each(slots.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_give_the_same_slots() {
        let slots = [Slot::unarmed(3), Slot::unarmed(1)];
        let ring = SlotWrites::Ring { base: 7, slots: slots.into() };
        let each: SlotWrites = [(7, slots[0]), (8, slots[1])].into_iter().collect();
        for writes in [ring, each] {
            assert_eq!((writes.len(), writes.is_empty()), (2, false));
            assert_eq!(writes.iter().collect::<Vec<_>>(), [(7, slots[0]), (8, slots[1])]);
        }
        assert!(SlotWrites::Each(Vec::new()).is_empty());
    }
}
