//! Positions of rings in the array of all slots: first fit, in blocks as long as the smallest ring.

use lb_common::{
    RingRef,
    limits::{RING_BITS_MIN, RING_SLOTS_MAX},
};

/// Which blocks of the array are taken.
pub(super) struct SlotAllocator {
    taken: Vec<bool>,
}

impl SlotAllocator {
    /// The array without the space of these rings.
    pub(super) fn new(rings: impl Iterator<Item = RingRef>) -> Self {
        let mut space = Self { taken: vec![false; RING_SLOTS_MAX >> RING_BITS_MIN] };
        for ring in rings.filter(|ring| !ring.is_none()) {
            let first = ring.base() as usize >> RING_BITS_MIN;
            let end = (ring.base() as usize + (1_usize << ring.bits().min(32)))
                .div_ceil(1 << RING_BITS_MIN)
                .min(space.taken.len());
            if let Some(blocks) = space.taken.get_mut(first..end) {
                blocks.fill(true);
            }
        }
        space
    }

    /// Takes space for a ring of `1 << bits` slots; `None` when there is none of that size.
    pub(super) fn take(&mut self, bits: u8) -> Option<RingRef> {
        let length = 1_usize << bits.checked_sub(RING_BITS_MIN)?;
        let index =
            self.taken.chunks_exact(length).position(|blocks| blocks.iter().all(|taken| !taken))?;
        let first = index * length;
        self.taken.get_mut(first..first + length)?.fill(true);
        let base = u32::try_from(first << RING_BITS_MIN).ok()?;
        Some(RingRef::new(base, bits))
    }
}

/// Whether a ring read back from the maps is one that `SlotAllocator` could have given out.
pub(super) fn is_sound(ring: RingRef) -> bool {
    let (base, length) = (ring.base() as usize, 1_usize << ring.bits().min(32));
    ring.bits() >= RING_BITS_MIN && base.is_multiple_of(length) && base + length <= RING_SLOTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_fit_at_multiples_of_the_length() {
        let taken = [RingRef::new(4096, 12), RingRef::NONE, RingRef::new(5, 3)];
        let mut space = SlotAllocator::new(taken.into_iter());
        let cases = [
            (12, Some(8192)),
            (13, Some(16_384)),
            (12, Some(12_288)),
            (21, Some(1 << 21)),
            (21, None),
            (20, Some(1 << 20)),
            (11, None),
        ];
        for (bits, base) in cases {
            let expected = base.map(|base| RingRef::new(base, bits));
            assert_eq!(space.take(bits), expected, "a ring of 2^{bits} slots");
        }
    }

    #[test]
    fn invalid_rings_are_recognised() {
        for (ring, sound) in [
            (RingRef::new(4096, 12), true),
            (RingRef::new(4096, 13), false),
            (RingRef::new(0, 11), false),
            (RingRef::new(1 << 22, 12), false),
            (RingRef::from_word(u64::MAX), false),
            (RingRef::NONE, false),
        ] {
            assert_eq!(is_sound(ring), sound, "{ring:?}");
        }
    }
}
