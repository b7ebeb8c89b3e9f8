//! What the agent turns on and off while the data path runs.

use crate::shared;

shared! {
    /// The only element of the map `SWITCHES`; one word, so that it changes with one store.
    pub struct Switches: 8 {
        /// [`Switches::ECHO_REPLY`] and the others.
        pub flags: u32,
        /// ICMP messages of each kind that a CPU may send in a second.
        pub icmp_rate: u32,
    }

    /// How much a CPU may still send; see `lb_ebpf::limiter`.
    pub struct Bucket: 8 {
        /// Nanoseconds of the monotonic clock up to which its allowance is used.
        pub used_until: u64,
    }
}

impl Switches {
    /// Flag: pings to a VIP are answered.
    pub const ECHO_REPLY: u32 = 1;
    /// Flag: there are listeners on port ranges or prefixes.
    pub const WIDE_LISTENERS: u32 = 2;
    /// Flag: there are target groups in mode nat or fullnat.
    pub const NAT: u32 = 4;

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// As one word in memory order, to be stored at once.
    #[must_use]
    pub fn to_word(self) -> u64 {
        bytemuck::cast(self)
    }
}

/// What a [`Bucket`] limits; its index in the map `LIMITS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Limit {
    /// Answers to pings.
    EchoReply = 0,
    /// ICMP "too big" messages.
    TooBig = 1,
    /// Flows that are remembered; see [`crate::memory`].
    Remember = 2,
    /// Connections of targets that are gone, answered with RST.
    Reset = 3,
    /// Flows that are remembered since their listener tracks all: a flood of datagrams takes nothing of
    /// what [`Limit::Remember`] allows to TCP.
    RememberTracked = 4,
}

/// Entries of the map `LIMITS`.
pub const LIMITS: usize = 5;
