//! Which frames are for this host: the MAC addresses of the interfaces that the program runs on.

use crate::{Mac, shared};

shared! {
    /// The addresses that an interface takes frames for.
    pub struct InterfaceMacs: 32 {
        /// They, as [`Mac::to_word`] has them; repeated if there are fewer. If they are 0, nothing
        /// is known, and the interface takes every frame.
        pub words: [u64; MACS_PER_INTERFACE],
    }
}

/// Addresses of an interface: its own, and those of virtual routers on it (VRRP).
pub const MACS_PER_INTERFACE: usize = 4;

/// Rows of [`Macs`]: a power of two, so that the data path can mask. The row of an interface is its index
/// modulo this; where two share a row, it is that of neither.
pub const MAC_ROWS: usize = 256;

/// The only element of the map `MACS`.
#[repr(C)]
pub struct Macs {
    /// By index of the interface, modulo [`MAC_ROWS`].
    pub rows: [InterfaceMacs; MAC_ROWS],
}

impl InterfaceMacs {
    /// Every frame.
    pub const ANY: Self = Self { words: [0; MACS_PER_INTERFACE] };

    /// Frames for these addresses; [`InterfaceMacs::ANY`] when there are none, or too many.
    #[must_use]
    pub fn of(macs: &[Mac]) -> Self {
        let first = match macs {
            [first, ..] if macs.len() <= MACS_PER_INTERFACE => first.to_word(),
            _ => return Self::ANY,
        };
        // No word is 0: that is an address which a frame may be for.
        let mut all = Self { words: [first; MACS_PER_INTERFACE] };
        for (word, mac) in all.words.iter_mut().zip(macs) {
            *word = mac.to_word();
        }
        all
    }

    /// Whether a frame for this address, as [`Mac::to_word`] has it, is taken.
    #[must_use]
    #[inline(always)]
    pub const fn takes(&self, mac: u64) -> bool {
        let [first, second, third, fourth] = self.words;
        first == mac || first == 0 || second == mac || third == mac || fourth == mac
    }
}

impl Mac {
    /// The bits of [`Mac::to_word`] in the first eight bytes of a frame.
    pub const WORD_MASK: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);

    /// Its bytes and two zeros, as a word in memory order.
    #[must_use]
    #[inline(always)]
    pub fn to_word(self) -> u64 {
        let [o0, o1, o2, o3, o4, o5] = self.octets();
        u64::from_ne_bytes([o0, o1, o2, o3, o4, o5, 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_takes_frames_for_its_addresses() {
        let macs = [1, 2, 3, 4, 5].map(|last| Mac::new([2, 0, 0, 0, 0, last]));
        let word = |number: usize| macs.get(number).map(|mac| mac.to_word()).unwrap_or_default();
        let two = InterfaceMacs::of(&macs[..2]);
        assert!(two.takes(word(0)) && two.takes(word(1)) && !two.takes(word(2)));
        let four = InterfaceMacs::of(&macs[..4]);
        assert!(four.takes(word(3)) && !four.takes(word(4)));
        assert!(InterfaceMacs::of(&[]).takes(word(4)), "nothing is known");
        assert!(InterfaceMacs::of(&macs).takes(word(4)), "too many to tell");
        assert!(!four.takes(Mac::WORD_MASK) && !two.takes(0));
    }
}
