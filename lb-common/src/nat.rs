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
        /// Port that the target sees it come from.
        pub local_port: Be16,
        /// Port of the target.
        pub target_port: Be16,
        /// The client.
        pub client: Address,
        /// The address that the client sends to.
        pub vip: Address,
        /// The address that the target sees it come from: the client's in mode nat, one of the
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
        /// Number of the pool that it belongs to.
        pub pool: u8,
        /// Zero.
        pub reserved: u8,
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

    /// Where a TCP segment stands in the streams of its connection.
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

    /// Where bindings come from: an address of the balancer's with a range of ports, or, for mode
    /// nat, no address at all.
    pub struct Pool: 32 {
        /// The address; zero in mode nat.
        pub address: Address,
        /// Index of its first binding; binding and port go up together.
        pub first: u32,
        /// Number of its bindings; 0 when there is no such pool.
        pub count: u32,
        /// First port, in host byte order.
        pub first_port: u16,
        /// Number of the [`Family`]; 0 in mode nat.
        pub family: u8,
        /// Zero.
        pub reserved: u8,
        /// [`Pool::READY`] when its bindings have been filled in.
        pub flags: u32,
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

/// Lines of the flow table. Modes nat and fullnat need three words for two bindings at most, so
/// that it is filled to three quarters when every binding is in use.
pub const FLOW_LINES: usize = 1 << 16;

/// Bindings of all pools.
pub const BINDINGS_MAX: usize = 1 << 18;

/// Bindings of mode nat: the first ones.
pub const NAT_BINDINGS: usize = BINDINGS_MAX / 2;

/// Bindings of mode fullnat: the others.
pub const FULLNAT_BINDINGS: usize = BINDINGS_MAX - NAT_BINDINGS;

/// Pools: number 0 is that of mode nat, the others are addresses of mode fullnat.
pub const POOLS_MAX: usize = 17;

/// Places for pools: a power of two, so that the data path can mask.
pub const POOL_PLACES: usize = 32;

/// The only element of the map `POOLS`.
#[repr(C)]
pub struct Pools {
    /// All pools, by number.
    pub pools: [Pool; POOL_PLACES],
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
        pool: 0,
        reserved: 0,
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
    /// The pool of mode nat.
    pub const NAT: usize = 0;

    /// Flag: its bindings have been filled in and can be taken.
    pub const READY: u32 = 1;

    /// The binding that has this port; `None` when it has none.
    #[must_use]
    #[inline(always)]
    pub const fn binding_of(&self, port: u16) -> Option<u32> {
        let offset = (port as u32).wrapping_sub(self.first_port as u32);
        if offset < self.count { Some(self.first + offset) } else { None }
    }

    /// Its binding with this offset, before it is used for the first time; `number` is the pool's.
    #[must_use]
    pub fn binding(&self, number: u8, offset: u32) -> Binding {
        let port = u32::from(self.first_port) + offset;
        Binding {
            local: self.address,
            // A pool has no more bindings than ports; mode nat takes the client's port.
            local_port: Be16::new(u16::try_from(port).unwrap_or(0)),
            pool: number,
            ..Binding::EMPTY
        }
    }

    /// The queue of free bindings that it shares with the other pools of its family.
    #[must_use]
    #[inline(always)]
    pub const fn queue(&self) -> Queue {
        match self.family {
            4 => Queue::V4,
            6 => Queue::V6,
            _ => Queue::Nat,
        }
    }
}

/// Queues of free bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Those of mode nat.
    Nat,
    /// Those of mode fullnat with an IPv4 address.
    V4,
    /// Those with an IPv6 address.
    V6,
}

impl Queue {
    /// The queue for mode fullnat.
    #[must_use]
    #[inline(always)]
    pub const fn of(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4,
            Family::V6 => Self::V6,
        }
    }
}

/// The binding that a word of the flow table leads to; `None` for an empty one.
#[must_use]
#[inline(always)]
pub const fn binding_of_word(word: u64) -> Option<u32> {
    const USED: u64 = BINDINGS_MAX as u64;
    if word & USED == 0 { None } else { Some((word & (USED - 1)) as u32) }
}

impl Life {
    /// Phase: nobody uses the binding.
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
const _: () = assert!(POOLS_MAX <= POOL_PLACES && POOL_PLACES.is_power_of_two());
const _: () = assert!(BINDINGS_MAX.is_power_of_two() && FLOW_LINES.is_power_of_two());
