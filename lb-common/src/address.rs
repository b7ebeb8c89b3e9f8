//! IP addresses as both sides store them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::shared;

shared! {
    /// An IPv4 or IPv6 address: 16 bytes in network byte order, of which an IPv4 address fills the
    /// first four and leaves the rest zero. The type that contains it has the family.
    ///
    /// Two words and not 16 bytes, since they are compared, copied and hashed as words.
    pub struct Address: 16 {
        /// The bytes of the address, as words in memory order.
        pub words: [u64; 2],
    }

    /// A number of 16 bits in network byte order, such as a port.
    pub struct Be16: 2 {
        /// Its representation in memory.
        pub raw: u16,
    }
}

shared! {
    /// An Ethernet address.
    pub struct Mac: 6 {
        /// Its bytes, as 16-bit words in memory order.
        pub words: [u16; 3],
    }
}

impl From<[u8; 6]> for Mac {
    fn from(octets: [u8; 6]) -> Self {
        Self::new(octets)
    }
}

impl Mac {
    /// The address with these bytes.
    #[must_use]
    pub const fn new(octets: [u8; 6]) -> Self {
        let [o0, o1, o2, o3, o4, o5] = octets;
        Self {
            words: [
                u16::from_ne_bytes([o0, o1]),
                u16::from_ne_bytes([o2, o3]),
                u16::from_ne_bytes([o4, o5]),
            ],
        }
    }

    /// Its bytes.
    #[must_use]
    #[inline(always)]
    pub fn octets(self) -> [u8; 6] {
        bytemuck::cast(self)
    }
}

impl Be16 {
    /// From a number.
    #[must_use]
    #[inline(always)]
    pub const fn new(number: u16) -> Self {
        Self { raw: number.to_be() }
    }

    /// The number.
    #[must_use]
    #[inline(always)]
    pub const fn get(self) -> u16 {
        u16::from_be(self.raw)
    }
}

/// Which IP an address or packet belongs to. In maps it is stored as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// IPv4 (RFC 791).
    V4 = 4,
    /// IPv6 (RFC 8200).
    V6 = 6,
}

impl TryFrom<u8> for Family {
    type Error = u8;

    fn try_from(number: u8) -> Result<Self, u8> {
        match number {
            4 => Ok(Self::V4),
            6 => Ok(Self::V6),
            other => Err(other),
        }
    }
}

impl Address {
    /// The IPv4 address with these bytes.
    #[must_use]
    #[inline(always)]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self { words: [u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]), 0] }
    }

    /// The IPv6 address with these bytes.
    #[must_use]
    #[inline(always)]
    pub fn v6(octets: [u8; 16]) -> Self {
        bytemuck::cast(octets)
    }

    /// The IPv4 address that these words of a header are.
    #[must_use]
    #[inline(always)]
    pub fn from_v4_words([high, low]: [u16; 2]) -> Self {
        Self { words: [bytemuck::cast([high, low, 0, 0]), 0] }
    }

    /// The IPv6 address that these words of a header are.
    #[must_use]
    #[inline(always)]
    pub fn from_v6_words(words: [u16; 8]) -> Self {
        bytemuck::cast(words)
    }

    /// Its bytes.
    #[must_use]
    #[inline(always)]
    pub fn octets(self) -> [u8; 16] {
        bytemuck::cast(self)
    }

    /// The first four bytes: all of an IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn first_four(&self) -> [u8; 4] {
        let [first, _] = self.words;
        let [a, b, c, d, ..] = first.to_ne_bytes();
        [a, b, c, d]
    }

    /// Back to the standard library's type.
    #[must_use]
    pub fn to_ip(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(self.first_four())),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(self.octets())),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl From<&IpAddr> for Family {
    fn from(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_round_trip() {
        for text in ["203.0.113.10", "2001:db8::1"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(Address::from(ip).to_ip(Family::from(&ip)), ip);
        }
    }
}
