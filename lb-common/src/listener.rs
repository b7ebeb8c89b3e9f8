//! What clients connect to.

use core::ops::ControlFlow;

use crate::{Address, Be16, Family, limits::LISTENER_PLACES, shared};

/// IP protocol numbers (IANA "Assigned Internet Protocol Numbers") that listeners can have.
pub mod protocol {
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
}

shared! {
    /// The exact address of a listener.
    pub struct ListenerKey: 24 {
        /// The VIP.
        pub address: Address,
        /// The port.
        pub port: Be16,
        /// The IP protocol number; see [`protocol`].
        pub protocol: u8,
        /// Number of the [`Family`] of `address`.
        pub family: u8,
        /// Zero.
        pub reserved: u32,
    }

    /// What the data path knows of a listener.
    pub struct Listener: 8 {
        /// Index of its traffic counters.
        pub id: u16,
        /// Index of its target group.
        pub group: u16,
        /// Seconds after which a silent flow is forgotten.
        pub idle_timeout: u16,
        /// [`Listener::NAT`] and the others.
        pub flags: u16,
    }

    /// One place of the table of listeners.
    pub struct ListenerPlace: 32 {
        /// The key of the listener that is, or was, here.
        pub key: ListenerKey,
        /// Word of the [`Listener`], or [`ListenerPlace::FREE`], or [`ListenerPlace::LEFT`].
        pub listener: u64,
    }

    /// A VIP on its own, for packets without (readable) ports.
    pub struct VipKey: 24 {
        /// The VIP.
        pub address: Address,
        /// Number of the [`Family`] of `address`.
        pub family: u64,
    }
}

impl Listener {
    /// Flag: its target group has mode nat or fullnat.
    pub const NAT: u16 = 1;
    /// Flag: flows have no beginning that shows, so that every one is remembered.
    pub const TRACKED: u16 = 2;
    /// Flag: QUIC, whose flows begin with an Initial packet.
    pub const QUIC: u16 = 4;
    /// Flag: all flows of a client go to one target: the slot is that of the client's address.
    pub const STICKY: u16 = 8;
    /// Flag: TCP flows of targets that are gone are answered with RST.
    pub const RESETS: u16 = 16;
}

impl Listener {
    /// As one word in memory order, to be stored at once.
    #[must_use]
    pub fn to_word(self) -> u64 {
        bytemuck::cast(self)
    }

    /// From a word that [`Listener::to_word`] made.
    #[must_use]
    #[inline(always)]
    pub fn from_word(word: u64) -> Self {
        bytemuck::cast(word)
    }
}

/// The only element of the map `LISTENERS`: a hash table with open addressing and linear probing. A
/// listener is in the first [`Listeners::PROBES`] positions from [`ListenerKey::place`] on, with no
/// free position in between.
///
/// The agent writes the key of a place before its listener, and changes the key of a place that a
/// listener has left only after a grace period. A packet reads the listener of a place before its
/// key. So it never takes one listener for another.
#[repr(C)]
pub struct Listeners {
    /// The positions; probing wraps around from the end to the start.
    pub places: [ListenerPlace; LISTENER_PLACES],
}

impl Listeners {
    /// Positions that are probed for a key.
    pub const PROBES: usize = 32;
}

impl ListenerPlace {
    /// Free: a lookup ends here.
    pub const FREE: u64 = 0;
    /// Deleted: a listener was here, and later ones may be after it. Id 0 means none.
    pub const LEFT: u64 = u64::MAX << 16;

    /// Compares a position (this listener and the words of its key) with the requested key: the
    /// answer, or to continue with the next position.
    #[inline(always)]
    pub fn ask(
        listener: u64,
        [first, second, tail]: [u64; 3],
        asked: &ListenerKey,
    ) -> ControlFlow<Option<Listener>> {
        if listener == Self::FREE {
            return ControlFlow::Break(None);
        }
        let [asked_first, asked_second, asked_tail] = asked.words();
        if first != asked_first || second != asked_second || tail != asked_tail {
            return ControlFlow::Continue(());
        }
        let found = Listener::from_word(listener);
        ControlFlow::Break(if found.id == 0 { None } else { Some(found) })
    }
}

impl VipKey {
    /// The key of an address.
    #[must_use]
    #[inline(always)]
    pub const fn new(family: Family, address: Address) -> Self {
        Self { address, family: family as u64 }
    }
}

impl ListenerKey {
    /// The key of a listener.
    #[must_use]
    #[inline(always)]
    pub const fn new(family: Family, address: Address, port: Be16, protocol: u8) -> Self {
        Self { address, port, protocol, family: family as u8, reserved: 0 }
    }

    /// The place where the search for a key starts: its words, mixed by multiplication with odd
    /// numbers (Knuth, The Art of Computer Programming, volume 3, 6.4). It need not resist anybody:
    /// who sends packets chooses among few keys, and the search is bounded.
    #[must_use]
    #[inline(always)]
    pub const fn place(&self) -> usize {
        let [first, second] = self.address.words;
        let mixed = first ^ second.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.tail() << 32;
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed >> 40) as usize & (LISTENER_PLACES - 1)
    }

    /// It as words in memory order.
    #[must_use]
    #[inline(always)]
    pub const fn words(&self) -> [u64; 3] {
        let [first, second] = self.address.words;
        [first, second, self.tail()]
    }

    /// Port, protocol and family in one word, as in memory.
    #[inline(always)]
    const fn tail(&self) -> u64 {
        let tail = self.port.raw.to_le() as u64
            | (self.protocol as u64) << 16
            | (self.family as u64) << 24;
        tail.to_le()
    }

    /// The VIP of this listener.
    #[must_use]
    pub const fn vip(&self) -> VipKey {
        VipKey { address: self.address, family: self.family as u64 }
    }
}
