//! What clients connect to.

use crate::{Address, Family, shared};

/// IP protocol numbers (IANA "Assigned Internet Protocol Numbers") that listeners can have.
pub mod protocol {
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
}

shared! {
    /// The exact address of a listener.
    pub struct ListenerKey: 20 {
        /// The VIP.
        pub address: Address,
        /// The port, network byte order.
        pub port: [u8; 2],
        /// The IP protocol number; see [`protocol`].
        pub protocol: u8,
        /// Number of the [`Family`] of `address`.
        pub family: u8,
    }

    /// What the data path knows of a listener.
    pub struct Listener: 8 {
        /// Index of its traffic counters.
        pub id: u16,
        /// Index of its target group.
        pub group: u16,
        /// None defined yet: zero.
        pub flags: u32,
    }

    /// A VIP on its own, for packets without (readable) ports.
    pub struct VipKey: 20 {
        /// The VIP.
        pub address: Address,
        /// Number of the [`Family`] of `address`.
        pub family: u8,
        /// Zero.
        pub reserved: [u8; 3],
    }
}

impl VipKey {
    /// The key of an address.
    #[must_use]
    #[inline(always)]
    pub const fn new(family: Family, address: Address) -> Self {
        Self {
            address,
            family: family as u8,
            reserved: [0; 3],
        }
    }
}

impl ListenerKey {
    /// The VIP of this listener.
    #[must_use]
    pub const fn vip(&self) -> VipKey {
        VipKey {
            address: self.address,
            family: self.family,
            reserved: [0; 3],
        }
    }
}
