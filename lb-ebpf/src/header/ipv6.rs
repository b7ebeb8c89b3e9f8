//! The IPv6 header and its extension headers (RFC 8200).

use bytemuck::{Pod, Zeroable};
use lb_common::Be16;

use crate::{Wire, ip_packet::Fragment};

/// Next header numbers (IANA "Assigned Internet Protocol Numbers").
pub mod next_header {
    /// Hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// IPv4 in IP.
    pub const IPV4: u8 = 4;
    /// IPv6 in IP.
    pub const IPV6: u8 = 41;
    /// Routing header.
    pub const ROUTING: u8 = 43;
    /// Fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header (RFC 4302).
    pub const AUTHENTICATION: u8 = 51;
    /// Destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// Mobility header (RFC 6275).
    pub const MOBILITY: u8 = 135;
}

/// The fixed header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Ipv6 {
    /// Version (4 bits), traffic class (8 bits), flow label (20 bits).
    pub version_class_label: [Be16; 2],
    /// Length of all that follows this header, in bytes.
    pub payload_length: Be16,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address, as words in memory order.
    pub source: [u16; 8],
    /// Destination address, as words in memory order.
    pub destination: [u16; 8],
}

impl Wire for Ipv6 {}

impl Ipv6 {
    /// The IP version that it claims.
    #[must_use]
    #[inline(always)]
    pub const fn version(&self) -> u8 {
        let [first, _] = self.version_class_label;
        (first.get() >> 12) as u8
    }

    /// DSCP and ECN.
    #[must_use]
    #[inline(always)]
    pub const fn traffic_class(&self) -> u8 {
        let [first, _] = self.version_class_label;
        (first.get() >> 4 & 0xff) as u8
    }
}

/// The first eight bytes of an extension header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Extension {
    /// What follows it.
    pub next_header: u8,
    /// Its length without the first eight bytes, in units of 8 bytes (4 in the authentication
    /// header, where it is the length in units of 4 minus 2).
    pub length: u8,
    /// In a fragment header: offset in units of 8 bytes (13 bits), two reserved bits, "more".
    pub fragment: Be16,
    /// The rest.
    pub rest: [u16; 2],
}

impl Wire for Extension {}

impl Extension {
    /// Its length in bytes, being a header with this number.
    #[must_use]
    #[inline(always)]
    pub const fn length_as(&self, number: u8) -> usize {
        let units = self.length as usize;
        match number {
            next_header::FRAGMENT => 8,
            next_header::AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        }
    }

    /// What it says, being a fragment header; an atomic fragment (RFC 6946) is a whole packet.
    #[inline(always)]
    pub(crate) fn fragment(self) -> Fragment {
        Fragment {
            identification: u32::from_be(bytemuck::cast(self.rest)),
            offset: self.fragment.get() & 0xfff8,
            more: self.fragment.get() & 1 != 0,
        }
    }
}
