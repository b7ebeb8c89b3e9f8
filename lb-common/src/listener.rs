//! What clients connect to.

use crate::{Address, Be16, Family, shared};

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
    /// Flag: it speaks QUIC, whose flows begin with an Initial packet.
    pub const QUIC: u16 = 4;
    /// Flag: all flows of a client go to one target: the slot is that of the client's address.
    pub const STICKY: u16 = 8;
    /// Flag: TCP flows of targets that are gone are answered with RST.
    pub const RESETS: u16 = 16;
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

    /// The VIP of this listener.
    #[must_use]
    pub const fn vip(&self) -> VipKey {
        VipKey { address: self.address, family: self.family as u64 }
    }
}
