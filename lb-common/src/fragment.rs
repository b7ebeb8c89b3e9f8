//! What the first fragment of a packet teaches, for those that follow without a transport header.

use crate::{Address, Be16, Family, shared};

shared! {
    /// What all fragments of one packet have in common (RFC 791, RFC 8200).
    pub struct FragmentKey: 40 {
        /// Source address.
        pub source: Address,
        /// Destination address.
        pub destination: Address,
        /// Identification, in host byte order.
        pub identification: u32,
        /// Number of the [`Family`].
        pub family: u8,
        /// IPv4: IP protocol number. IPv6: zero, since it is not the same in all fragments.
        pub protocol: u8,
        /// Zero.
        pub reserved: u16,
    }

    /// The transport header of the first fragment.
    pub struct FragmentFlow: 16 {
        /// When the first fragment came, in seconds of the monotonic clock.
        pub seen: u64,
        /// Source port; 0 when the protocol has none.
        pub source_port: Be16,
        /// Destination port; 0 when the protocol has none.
        pub destination_port: Be16,
        /// IP protocol number.
        pub protocol: u8,
        /// Zero.
        pub reserved: [u8; 3],
    }
}

impl FragmentFlow {
    /// How long a first fragment is remembered, in seconds: the time that Linux waits for the rest
    /// of a packet (`ipfrag_time`).
    pub const LIFETIME: u64 = 30;
}

impl FragmentKey {
    /// The key of a packet.
    #[must_use]
    #[inline(always)]
    pub const fn new(
        family: Family,
        source: Address,
        destination: Address,
        identification: u32,
        protocol: u8,
    ) -> Self {
        let protocol = match family {
            Family::V4 => protocol,
            Family::V6 => 0,
        };
        Self { source, destination, identification, family: family as u8, protocol, reserved: 0 }
    }
}
