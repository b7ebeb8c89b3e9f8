//! Traffic of a listener or target.

use crate::shared;

shared! {
    /// Packets and bytes since the id was given out, on one CPU.
    pub struct Traffic: 16 {
        /// Packets.
        pub packets: u64,
        /// Bytes of their IP packets as they arrived: headers of layer 3 and up, no Ethernet, no
        /// padding, no encapsulation.
        pub bytes: u64,
    }
}

impl Traffic {
    /// One packet of `bytes` bytes.
    #[must_use]
    #[inline(always)]
    pub const fn packet(bytes: u64) -> Self {
        Self { packets: 1, bytes }
    }

    /// What takes this back when it is added, modulo 2^64.
    #[must_use]
    #[inline(always)]
    pub const fn negated(self) -> Self {
        Self { packets: self.packets.wrapping_neg(), bytes: self.bytes.wrapping_neg() }
    }

    /// Adds more to it, modulo 2^64.
    #[inline(always)]
    pub const fn add(&mut self, more: Self) {
        self.packets = self.packets.wrapping_add(more.packets);
        self.bytes = self.bytes.wrapping_add(more.bytes);
    }
}
