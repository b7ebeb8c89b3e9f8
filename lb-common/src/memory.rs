//! What the modes that keep no bindings remember of flows while it matters.

use crate::{limits::RING_SLOTS_MAX, shared};

shared! {
    /// One flow that is remembered.
    pub struct Memory: 16 {
        /// The hash of its five-tuple; 0 means empty.
        pub hash: u64,
        /// Word of its [`Owner`].
        pub owner: u64,
    }

    /// One cache line of them.
    pub struct MemoryLine: 64 {
        /// They, in no order.
        pub entries: [Memory; MEMORY_WORDS],
    }

    /// Whose a flow is, and for how long; one word, so that it changes with one store.
    pub struct Owner: 8 {
        /// Id of the target.
        pub target: u16,
        /// Epoch of the slot in which it was remembered; 0 for a flow of a listener that tracks all.
        pub epoch: u16,
        /// Second of the monotonic clock at which it is forgotten.
        pub expires: u32,
    }
}

/// Flows of a line.
pub const MEMORY_WORDS: usize = 4;

/// The only element of the map `SEEN`: for each armed slot, the second of the monotonic clock in
/// which a packet last went elsewhere than to its `current`. Slots that are not armed say nothing.
#[repr(C)]
pub struct Seen {
    /// The seconds, by index of the slot.
    pub seconds: [u32; RING_SLOTS_MAX],
}

impl Owner {
    /// As a word in memory order.
    #[must_use]
    #[inline(always)]
    pub fn to_word(self) -> u64 {
        bytemuck::cast(self)
    }

    /// From a word in memory order.
    #[must_use]
    #[inline(always)]
    pub fn from_word(word: u64) -> Self {
        bytemuck::cast(word)
    }
}
