//! Listeners on more than one address or port: ranges of ports, prefixes of addresses.

use crate::{Address, Family, Listener, limits::WIDE_RANGES_MAX, shared};

shared! {
    /// The data of a key of the map `WIDE_LISTENERS`, a longest-prefix match. The prefix length
    /// counts the 32 bits of `family`.
    pub struct WideKey: 20 {
        /// Number of the [`Family`], in memory order.
        pub family: [u8; 4],
        /// The address; bits behind the prefix are zero.
        pub address: [u8; 16],
    }

    /// A range of ports, and what listens there.
    pub struct PortRange: 16 {
        /// First port, in host byte order.
        pub first: u16,
        /// Last port.
        pub last: u16,
        /// IP protocol number; 0 ends the list.
        pub protocol: u16,
        /// Zero.
        pub reserved: u16,
        /// The listener.
        pub listener: Listener,
    }

    /// Every range of one prefix, its own and those of the prefixes around it, the one that is
    /// meant first.
    pub struct WideListeners: 256 {
        /// They.
        pub ranges: [PortRange; WIDE_RANGES_MAX],
    }
}

impl WideKey {
    /// Bits of the prefix in front of those of the address.
    pub const FAMILY_BITS: u32 = 32;

    /// The key of an address.
    #[must_use]
    #[inline(always)]
    pub fn new(family: Family, address: Address) -> Self {
        Self { family: (family as u32).to_ne_bytes(), address: address.octets() }
    }
}

impl WideListeners {
    /// What listens on a port.
    #[must_use]
    #[inline(always)]
    pub fn listener(&self, protocol: u8, port: u16) -> Option<Listener> {
        for range in &self.ranges {
            if range.protocol == 0 {
                return None;
            }
            if range.protocol == u16::from(protocol) && range.first <= port && port <= range.last {
                return Some(range.listener);
            }
        }
        None
    }
}
