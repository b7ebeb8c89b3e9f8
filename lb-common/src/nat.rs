//! What modes nat and fullnat remember of a flow, and the pools that they take it from.

use crate::{Address, Be16, Family, Mac, shared};

shared! {
    /// One translated flow: two cache lines.
    pub struct Binding: 128 {
        /// [`Life`]: whether it is in use, and since when it is silent.
        pub life: u64,
        /// Port that the client sends from.
        pub client_port: Be16,
        /// Port of the listener that the client sends to.
        pub vip_port: Be16,
        /// Port that the target sees the source.
        pub local_port: Be16,
        /// Port of the target.
        pub target_port: Be16,
        /// The client.
        pub client: Address,
        /// The address that the client sends to.
        pub vip: Address,
        /// The address that the target sees the source: the client's in mode nat, one of the
        /// balancer's in mode fullnat.
        pub local: Address,
        /// The target's address.
        pub target_address: Address,
        /// The link that the client's packets come by: answers go there. Packets write it.
        pub link: ClientLink,
        /// Number of the [`Family`].
        pub family: u8,
        /// IP protocol number.
        pub protocol: u8,
        /// Id of the listener.
        pub listener: u16,
        /// Id of the target.
        pub target: u16,
        /// Seconds of silence after which it is forgotten.
        pub idle_timeout: u16,
        /// [`Sequence`] of one of the target's last TCP segments, as a word; 0 before the first. Packets
        /// write it.
        pub sequence: u64,
    }

    /// The link layer of a client's packets, in words that can be compared.
    pub struct ClientLink: 32 {
        /// MAC that they come from, its first word in the lowest bits; above it the number of VLAN
        /// tags.
        pub client: u64,
        /// MAC of this host that they come to.
        pub own: u64,
        /// Their VLAN tags in memory order: EtherType and contents of each, the outer one first.
        pub tags: u64,
        /// Index of the interface that they come in by.
        pub interface: u64,
    }

    /// Position of a TCP segment in the streams of its connection.
    pub struct Sequence: 8 {
        /// Its sequence number.
        pub sent: u32,
        /// Its acknowledgement number: what its sender expects next.
        pub received: u32,
    }

    /// A line of the flow table: words of tag and binding; see `lb_ebpf::nat::table`.
    pub struct FlowLine: 64 {
        /// They; 0 is empty.
        pub words: [u64; FLOW_WORDS],
    }

    /// An address of the balancer's with a range of ports, which flows of mode fullnat come from.
    pub struct Pool: 32 {
        /// The address.
        pub address: Address,
        /// Number of ports; 0 when there is no such pool.
        pub count: u32,
        /// [`Pool::READY`] when no flow has an address any more that has gone.
        pub flags: u32,
        /// First port, in host byte order.
        pub first_port: u16,
        /// Number of the [`Family`].
        pub family: u8,
        /// Zero.
        pub reserved: [u8; 5],
    }

    /// The only element of the map `TURNS`: what the CPUs share. Each number has a cache line.
    pub struct Turns: 128 {
        /// Bindings that have ever been taken: those behind them are new.
        pub taken: u64,
        /// Zero.
        pub reserved: [u64; 7],
        /// Where the next look for a binding starts when none is free.
        pub hand: u64,
        /// Zero.
        pub reserved_tail: [u64; 7],
    }

    /// The life of a binding, one word.
    pub struct Life: 8 {
        /// Second of the monotonic clock in which its last packet came.
        pub seen: u32,
        /// [`Life::FREE`], [`Life::LIVE`] or [`Life::DEAD`].
        pub phase: u16,
        /// What its TCP packets have said: [`Life::ANSWERED`] and the others.
        pub flags: u16,
    }
}

/// Words of a line of the flow table.
pub const FLOW_WORDS: usize = 8;

/// Bindings of both modes by default: 32 MiB, and 9 MiB to find them.
pub const BINDINGS: usize = 1 << 18;

/// Minimum of the agent's option.
pub const BINDINGS_MIN: usize = 1 << 16;

/// The most: 256 MiB, and 72 MiB to find them.
pub const BINDINGS_MAX: usize = 1 << 21;

/// Lines of the flow table for so many bindings. Each has two words in it, one for each direction, so that
/// half of it is filled when every binding is in use.
#[must_use]
pub const fn flow_lines(bindings: usize) -> usize {
    bindings * 4 / FLOW_WORDS
}

/// Pools of a family.
pub const POOLS_MAX: usize = 16;

/// Places for pools: those of IPv4 first, then those of IPv6.
pub const POOL_PLACES: usize = 2 * POOLS_MAX;

/// The only element of the map `POOLS`.
#[repr(C)]
pub struct Pools {
    /// All pools, by number.
    pub pools: [Pool; POOL_PLACES],
    /// For each family: one more than the highest number of a pool, counted from its first place.
    pub ends: [u32; 2],
}

impl Binding {
    /// One that has never been used.
    pub const EMPTY: Self = Self {
        life: 0,
        client_port: Be16::new(0),
        vip_port: Be16::new(0),
        local_port: Be16::new(0),
        target_port: Be16::new(0),
        client: Address { words: [0; 2] },
        vip: Address { words: [0; 2] },
        local: Address { words: [0; 2] },
        target_address: Address { words: [0; 2] },
        link: ClientLink { client: 0, own: 0, tags: 0, interface: 0 },
        family: 0,
        protocol: 0,
        listener: 0,
        target: 0,
        idle_timeout: 0,
        sequence: 0,
    };
}

impl ClientLink {
    /// Words of it.
    pub const WORDS: usize = 4;

    /// The link of packets from `client` to `own`, by an interface, with the first `tag_count` of
    /// these tags.
    #[must_use]
    #[inline(always)]
    pub fn new(client: Mac, own: Mac, interface: u32, tags: [Be16; 4], tag_count: u8) -> Self {
        Self {
            client: word_of(client) | u64::from(tag_count) << 48,
            own: word_of(own),
            tags: bytemuck::cast(tags),
            interface: u64::from(interface),
        }
    }

    /// MAC of the client, or of the router before it.
    #[must_use]
    #[inline(always)]
    pub const fn client_mac(&self) -> Mac {
        mac_of(self.client)
    }

    /// MAC of this host.
    #[must_use]
    #[inline(always)]
    pub const fn own_mac(&self) -> Mac {
        mac_of(self.own)
    }

    /// What frames for the client begin with: twelve bytes of two words in memory order.
    #[must_use]
    #[inline(always)]
    pub const fn macs(&self) -> [u64; 2] {
        [self.client & MAC_BITS | self.own << 48, self.own >> 16]
    }

    /// EtherType and contents of each tag.
    #[must_use]
    #[inline(always)]
    pub fn tags(&self) -> [Be16; 4] {
        bytemuck::cast(self.tags)
    }

    /// How many of them there are.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the words are made of such parts")]
    pub const fn tag_count(&self) -> u8 {
        (self.client >> 48) as u8
    }

    /// Index of the interface.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the words are made of such parts")]
    pub const fn interface(&self) -> u32 {
        self.interface as u32
    }

    /// Whether it is another one. No short cuts: each would be a branch for the verifier to walk.
    #[must_use]
    #[inline(always)]
    pub const fn differs(&self, other: &Self) -> bool {
        (self.client ^ other.client)
            | (self.own ^ other.own)
            | (self.tags ^ other.tags)
            | (self.interface ^ other.interface)
            != 0
    }
}

/// The bits of a MAC address in a word.
const MAC_BITS: u64 = (1 << 48) - 1;

#[inline(always)]
const fn word_of(mac: Mac) -> u64 {
    let [first, second, third] = mac.words;
    first as u64 | (second as u64) << 16 | (third as u64) << 32
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the words are made of such parts")]
const fn mac_of(word: u64) -> Mac {
    Mac { words: [word as u16, (word >> 16) as u16, (word >> 32) as u16] }
}

impl Sequence {
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

impl Pool {
    /// Flag: no flow uses an address or port of a previous pool that no pool has now.
    pub const READY: u32 = 1;

    /// The first place of the pools of a family.
    #[must_use]
    #[inline(always)]
    pub const fn first_place(family: Family) -> usize {
        match family {
            Family::V4 => 0,
            Family::V6 => POOLS_MAX,
        }
    }

    /// Whether an address and port are its own.
    #[must_use]
    pub fn has(&self, address: Address, port: u16) -> bool {
        let offset = u32::from(port).wrapping_sub(self.first_port.into());
        self.address == address && offset < self.count
    }
}

/// The bit of a word of the flow table that says that it is used.
pub const WORD_USED: u64 = 1 << 31;

/// The binding that a word of the flow table leads to; `None` for an empty one.
#[must_use]
#[inline(always)]
pub const fn binding_of_word(word: u64) -> Option<u32> {
    if word & WORD_USED == 0 { None } else { Some((word & (WORD_USED - 1)) as u32) }
}

impl Life {
    /// Phase: the binding is free.
    pub const FREE: u16 = 0;
    /// Phase: it translates a flow.
    pub const LIVE: u16 = 1;
    /// Phase: its flow is forgotten and it waits in its queue; packets that found it just before may
    /// still read it.
    pub const DEAD: u16 = 2;

    /// Flag: the target has answered.
    pub const ANSWERED: u16 = 1;
    /// Flag: the client has gone on after the answer.
    pub const ESTABLISHED: u16 = 2;
    /// Flag: the client has sent FIN.
    pub const CLIENT_FIN: u16 = 4;
    /// Flag: the target has sent FIN.
    pub const TARGET_FIN: u16 = 8;
    /// Flag: one of them has sent RST.
    pub const RESET: u16 = 16;
    /// Flag: both have sent FIN, and one has acknowledged it.
    pub const SETTLED: u16 = 32;

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

const _: () = assert!(core::mem::offset_of!(Binding, life) == 0);
const _: () = assert!(POOL_PLACES.is_power_of_two());
const _: () = assert!(BINDINGS.is_power_of_two() && BINDINGS_MIN.is_power_of_two());
const _: () = assert!(BINDINGS_MAX.is_power_of_two() && (BINDINGS_MAX as u64) < WORD_USED);
