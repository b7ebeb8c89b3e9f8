//! The slots of all rings: who owns them, the rest of them, and the marks of those that are armed.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
};

use lb_common::{
    RingRef, RingSlot, Slot,
    abi::map,
    limits::RING_SLOTS_MAX,
    memory::Seen,
    ring::{Rings, Slots},
};
use lb_plan::SlotWrites;

use super::{
    StoreError,
    mapped_array::MappedArray,
    pinned_map::{below, open_mapping},
};
use crate::clock;

/// The three maps.
pub(super) struct SlotMaps {
    rings: MappedArray<Rings>,
    slots: MappedArray<Slots>,
    seen: MappedArray<Seen>,
}

impl SlotMaps {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            rings: open_mapping(folder, map::RINGS)?,
            slots: open_mapping(folder, map::SLOTS)?,
            seen: open_mapping(folder, map::SEEN)?,
        })
    }

    /// Writes slots, each at its index; those that are armed have seen an exception just before.
    pub(super) fn write(&self, writes: &SlotWrites) -> Result<(), StoreError> {
        let now = clock::seconds();
        for (index, slot) in writes.iter() {
            let index = below(index as usize, RING_SLOTS_MAX, "slot")?;
            // SAFETY: inside the arrays; one aligned store each.
            unsafe {
                if slot.is_armed() {
                    self.mark(index).write_volatile(now);
                }
                self.word(index).write_volatile(slot.to_word());
            }
        }
        // Whoever meets an armed slot must find its mark and the rest of it.
        fence(Ordering::SeqCst);
        for (index, slot) in writes.iter() {
            let index = below(index as usize, RING_SLOTS_MAX, "slot")?;
            // SAFETY: inside the array; one aligned 2-byte store.
            unsafe { self.in_ring(index).write_volatile(slot.in_ring().to_word()) };
        }
        Ok(())
    }

    /// The slots of a ring that ends inside the array: `known` if it has the same ones.
    pub(super) fn read(&self, ring: RingRef, known: Option<&Arc<[Slot]>>) -> Arc<[Slot]> {
        let base = ring.base() as usize;
        let slots = (0..ring.len()).map(|offset| self.slot(base + offset));
        match known.filter(|known| slots.clone().eq(known.iter().copied())) {
            Some(known) => Arc::clone(known),
            None => slots.collect(),
        }
    }

    /// A slot as packets meet it, also where an agent was killed between its two stores.
    fn slot(&self, index: usize) -> Slot {
        let index = index & (RING_SLOTS_MAX - 1);
        // SAFETY: masked, so inside the arrays.
        let (in_ring, slot) = unsafe {
            let word = self.word(index).read_volatile();
            (self.in_ring(index).read_volatile(), Slot::from_word(word))
        };
        // Epochs only increase: an aborted arming does not count as a later one.
        match RingSlot::from_word(in_ring) {
            met if met.is_armed() => slot,
            met => Slot { epoch: slot.epoch, ..Slot::unarmed(met.current()) },
        }
    }

    /// What the ring has of a slot below [`RING_SLOTS_MAX`].
    fn in_ring(&self, index: usize) -> *mut u16 {
        // SAFETY: the caller's promise: inside the array.
        unsafe { self.rings.element().cast::<u16>().add(index) }
    }

    /// All of a slot below [`RING_SLOTS_MAX`].
    fn word(&self, index: usize) -> *mut u64 {
        // SAFETY: as in `in_ring`.
        unsafe { self.slots.element().cast::<u64>().add(index) }
    }

    /// The mark of a slot below [`RING_SLOTS_MAX`].
    fn mark(&self, index: usize) -> *mut u32 {
        // SAFETY: as in `in_ring`.
        unsafe { self.seen.element().cast::<u32>().add(index) }
    }

    /// The second of the last exception of a slot.
    pub(super) fn seen(&self, slot: u32) -> u32 {
        let index = slot as usize & (RING_SLOTS_MAX - 1);
        // SAFETY: masked, so inside the array.
        unsafe { self.mark(index).read_volatile() }
    }
}
