//! Parameters of the packet generator of the measurements, and their map.

use crate::shared;

/// Bytes before the frame in [`Order::frame`]: so that IP headers, and all addresses and ports in
/// them, are in whole words. A CPU waits long with a load of what two stores have written, and
/// packets of a network card are not written by stores.
pub const FRAME_OFFSET: u16 = 2;

/// Bytes of the frame: Ethernet, IPv6, TCP, and padding to whole words.
pub const FRAME_LENGTH: usize = 80 - FRAME_OFFSET as usize;

/// Clients' addresses end in the 24 bits of the flow's number: flows that there can be.
pub const FLOWS_MAX: u32 = 1 << 24;

/// Packets of a connection: SYN, SYN-ACK, ACK, FIN, FIN, ACK.
pub const CONNECTION_PACKETS: u32 = 6;

shared! {
    /// The only element of the map [`map::ORDER`].
    pub struct Order: 96 {
        /// The frame, behind [`FRAME_OFFSET`] bytes. The last four bytes of its source address are added:
        /// they are zero, or 10.0.0.0.
        pub frame: [u64; (FRAME_OFFSET as usize + FRAME_LENGTH) / 8],
        /// Number of flows less one; the number is a power of two.
        pub flow_mask: u32,
        /// The word that contains these bytes.
        pub address_word: u16,
        /// How many bits behind the start of that word they begin.
        pub address_shift: u16,
        /// 0: flows are picked at random; 1: they come one after the other.
        pub in_order: u32,
        /// Zero.
        pub reserved: u32,
    }
}

/// Names of the generator's maps; none is pinned.
pub mod map {
    /// `Array` of one [`super::Order`].
    pub const ORDER: &str = "ORDER";
    /// `ProgramArray`: the program under test.
    pub const UNDER_TEST: &str = "UNDER_TEST";
    /// `PerCpuArray` of one `[u64; 2]`: random number, number of the next flow in order.
    pub const STATE: &str = "STATE";
    /// `PerCpuArray` of one `u64`: packets that the generator or a reference program gave up.
    pub const FAILURES: &str = "FAILURES";
    /// `PerCpuArray` of one `[u64; 4]`: how far the connection of [`super::program::CONNECT`] is, and the ends that its
    /// target sees.
    pub const LIFE: &str = "LIFE";
    /// `LruHashMap` that the program [`super::program::LRU`] looks flows up in.
    pub const LRU: &str = "LRU";
}

/// Names of its programs.
pub mod program {
    /// The generator.
    pub const GENERATE: &str = "xelb_generate";
    /// Another generator: whole connections, one after the other, with what their targets answer; for mode
    /// fullnat over IPv4. Each is [`super::CONNECTION_PACKETS`] packets.
    pub const CONNECT: &str = "xelb_connect";
    /// Only sends the frame back: what the generator costs by itself.
    pub const REFLECT: &str = "xelb_reflect";
    /// Swaps the MACs and sends the frame back.
    pub const SWAP: &str = "xelb_swap";
    /// Reads the headers and puts a constant IPv4 header before them.
    pub const CONSTANT: &str = "xelb_constant";
    /// Looks the flow up in an LRU hash, and enters it when it is not there.
    pub const LRU: &str = "xelb_lru";
}
