//! The Maglev rings: slots, and the word with the position of a group's ring.
//!
//! Each slot is there twice: its current owner in [`Rings`], which packets read, and all of it in
//! [`Slots`], which only packets of armed slots read. So the ring of 1,000 targets takes 256 KiB of
//! a CPU's cache and not a MiB.

use crate::{
    limits::{RING_SLOTS_MAX, TARGETS_MAX},
    shared,
};

shared! {
    /// One slot of a ring. Written with one 8-byte store ([`Slot::to_word`]), so that no packet
    /// sees half of it.
    pub struct Slot: 8 {
        /// Id of the target that owns the slot; 0 means none.
        pub current: u16,
        /// Id of the target that flows from before a change belong to; equal to `current` unless
        /// the slot is armed. In an armed slot, 0 means none: such flows are to be reset.
        pub home: u16,
        /// Number of times that the slot was armed, modulo 2^16.
        pub epoch: u16,
        /// [`Slot::ARMED`] or zero.
        pub flags: u16,
    }
}

impl Slot {
    /// Flag: a live flow of this slot may belong to another target than `current`.
    pub const ARMED: u16 = 1;

    /// A slot whose flows all belong to its owner.
    #[must_use]
    #[inline(always)]
    pub const fn unarmed(owner: u16) -> Self {
        Self { current: owner, home: owner, epoch: 0, flags: 0 }
    }

    /// Whether a live flow of this slot may belong to another target than `current`.
    #[must_use]
    #[inline(always)]
    pub const fn is_armed(self) -> bool {
        self.flags & Self::ARMED != 0
    }

    /// What [`Rings`] has of the slot.
    #[must_use]
    pub const fn in_ring(self) -> RingSlot {
        RingSlot(self.current | if self.is_armed() { RingSlot::ARMED } else { 0 })
    }

    /// The slot as one word in memory order, to be stored at once.
    #[must_use]
    pub fn to_word(self) -> u64 {
        bytemuck::cast(self)
    }

    /// The slot that a word in memory order holds.
    #[must_use]
    #[inline(always)]
    pub fn from_word(word: u64) -> Self {
        bytemuck::cast(word)
    }
}

/// What [`Rings`] has of a slot, one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSlot(u16);

impl RingSlot {
    /// Flag: the slot is armed, and [`Slots`] has the rest.
    const ARMED: u16 = 1 << 15;

    /// From the word in the map.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u16) -> Self {
        Self(word)
    }

    /// The word for the map.
    #[must_use]
    pub const fn to_word(self) -> u16 {
        self.0
    }

    /// Whether the slot is armed.
    #[must_use]
    #[inline(always)]
    pub const fn is_armed(self) -> bool {
        self.0 & Self::ARMED != 0
    }

    /// Id of the target that owns the slot; 0 means none.
    #[must_use]
    #[inline(always)]
    pub const fn current(self) -> u16 {
        self.0 & !Self::ARMED
    }
}

/// The only element of the map `RINGS`: all rings, each a run of slots whose length is a power of
/// two and whose start is a multiple of its length. A slot is one word ([`RingSlot`]).
///
/// The agent writes a slot in [`Slots`] before it writes it here. So a packet meets the slot as it
/// was or as it is, and never half of it: a slot that is not armed here is what this says, whatever
/// [`Slots`] has; an armed one is what [`Slots`] says in one word.
#[repr(C)]
pub struct Rings {
    /// The words of the slots.
    pub slots: [u16; RING_SLOTS_MAX],
}

/// The only element of the map `SLOTS`: the words of all slots ([`Slot::to_word`]), in the order of
/// [`Rings`].
#[repr(C)]
pub struct Slots {
    /// The words of the slots.
    pub slots: [u64; RING_SLOTS_MAX],
}

// The flag of an armed slot is no part of an id.
const _: () = assert!(TARGETS_MAX <= RingSlot::ARMED as usize);

/// Position of a group's ring, packed in one word so that it changes with one store: the index of
/// its first slot in the low 32 bits, log2 of its length in the next 8. Zero is "no ring".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RingRef(u64);

impl RingRef {
    /// No ring.
    pub const NONE: Self = Self(0);

    /// The ring of `1 << bits` slots from `base` on.
    #[must_use]
    pub const fn new(base: u32, bits: u8) -> Self {
        Self(base as u64 | (bits as u64) << 32)
    }

    /// From the word in the map.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word for the map.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// Whether there is a ring.
    #[must_use]
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Index of its first slot in [`Rings`].
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are what is asked for")]
    pub const fn base(self) -> u32 {
        self.0 as u32
    }

    /// log2 of its number of slots.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "bits 32 to 39 are what is asked for")]
    pub const fn bits(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// Its number of slots; 0 for no ring.
    #[must_use]
    pub const fn len(self) -> usize {
        if self.is_none() { 0 } else { 1 << self.bits() }
    }

    /// Whether it has no slots, which is to say: whether there is no ring.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.is_none()
    }

    /// Index in [`Rings`] of the slot of a flow: the top bits of its hash, so that doubling the
    /// ring splits each slot in two. Always below [`RING_SLOTS_MAX`], whatever the word says.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "masked to RING_SLOTS_MAX")]
    pub const fn slot_of(self, flow_hash: u64) -> usize {
        let offset = flow_hash >> ((64 - (self.bits() as u64 & 63)) & 63);
        ((self.base() as u64 + offset) & (RING_SLOTS_MAX as u64 - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_the_top_bits_of_the_hash() {
        let ring = RingRef::new(8192, 12);
        assert_eq!(ring.slot_of(0), 8192);
        assert_eq!(ring.slot_of(u64::MAX), 8192 + 4095);
        assert_eq!(ring.slot_of(1 << 52), 8193);
        assert_eq!(ring.slot_of((1 << 52) - 1), 8192);
        assert_eq!(ring.len(), 4096);
        assert_eq!(RingRef::from_word(ring.to_word()), ring);
    }

    #[test]
    fn a_hostile_word_stays_inside_the_array() {
        for word in [u64::MAX, 0, u64::MAX >> 8, 1 << 40] {
            assert!(RingRef::from_word(word).slot_of(u64::MAX) < RING_SLOTS_MAX);
        }
    }

    #[test]
    fn a_slot_survives_its_word() {
        let slot = Slot { current: 1, home: 2, epoch: 3, flags: Slot::ARMED };
        assert_eq!(Slot::from_word(slot.to_word()), slot);
        let word = RingSlot::from_word(slot.in_ring().to_word());
        assert_eq!((word.current(), word.is_armed()), (1, true));
        let word = Slot::unarmed(7).in_ring();
        assert_eq!((word.current(), word.is_armed()), (7, false));
    }
}
