//! IP addresses as both sides store them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::shared;

shared! {
    /// An IPv4 or IPv6 address in network byte order; an IPv4 address fills the first four bytes
    /// and leaves the rest zero. The family stands beside it, in the type that holds it.
    pub struct Address: 16 {
        /// The bytes of the address.
        pub octets: [u8; 16],
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
        Self {
            octets: [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// The IPv6 address with these bytes.
    #[must_use]
    #[inline(always)]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self { octets }
    }

    /// The first four bytes: all of an IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn first_four(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.octets;
        [a, b, c, d]
    }

    /// Back to the standard library's type.
    #[must_use]
    pub fn to_ip(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(self.first_four())),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(self.octets)),
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
