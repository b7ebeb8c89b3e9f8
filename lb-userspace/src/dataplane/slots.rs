//! The slots of all rings, and the marks of those that are armed.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
};

use lb_common::{RingRef, Slot, abi::map, limits::RING_SLOTS_MAX, memory::Seen, ring::Rings};

use super::{
    kernel::{StoreError, below, open_mapping},
    mapping::Mapping,
};
use crate::clock;

/// Both maps.
pub(super) struct SlotMaps {
    rings: Mapping<Rings>,
    seen: Mapping<Seen>,
}

impl SlotMaps {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            rings: open_mapping(folder, map::RINGS)?,
            seen: open_mapping(folder, map::SEEN)?,
        })
    }

    /// Writes slots, each at its index; those that are armed have seen an exception just before.
    pub(super) fn write(&self, slots: &[(u32, Slot)]) -> Result<(), StoreError> {
        let words = self.rings.element().cast::<u64>();
        let marks = self.seen.element().cast::<u32>();
        let now = clock::seconds();
        for (index, _) in slots.iter().filter(|(_, slot)| slot.is_armed()) {
            let index = below(*index as usize, RING_SLOTS_MAX, "slot")?;
            // SAFETY: inside the array; one aligned 4-byte store.
            unsafe { marks.add(index).write_volatile(now) };
        }
        // Whoever meets an armed slot after a crash must find its mark.
        fence(Ordering::SeqCst);
        for (index, slot) in slots {
            let index = below(*index as usize, RING_SLOTS_MAX, "slot")?;
            // SAFETY: inside the array; one aligned 8-byte store.
            unsafe { words.add(index).write_volatile(slot.to_word()) };
        }
        Ok(())
    }

    /// The slots of a ring that ends inside the array.
    pub(super) fn read(&self, ring: RingRef) -> Arc<[Slot]> {
        let words = self.rings.element().cast::<u64>();
        (0..ring.len())
            .map(|offset| {
                let index = (ring.base() as usize + offset) & (RING_SLOTS_MAX - 1);
                // SAFETY: masked, so inside the array.
                Slot::from_word(unsafe { words.add(index).read_volatile() })
            })
            .collect()
    }

    /// The second of the last exception of a slot.
    pub(super) fn seen(&self, slot: u32) -> u32 {
        let index = slot as usize & (RING_SLOTS_MAX - 1);
        // SAFETY: masked, so inside the array.
        unsafe { self.seen.element().cast::<u32>().add(index).read_volatile() }
    }
}
