//! The IPv4 header (RFC 791).

use bytemuck::{Pod, Zeroable};
use lb_common::Be16;

use crate::Wire;

/// The first 20 bytes; options follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Ipv4 {
    /// Version in the high four bits, header length in words of 32 bits in the low ones.
    pub version_and_length: u8,
    /// DSCP (RFC 2474) and ECN (RFC 3168).
    pub traffic_class: u8,
    /// Length of header and payload in bytes.
    pub total_length: Be16,
    /// Number that fragments of one packet share.
    pub identification: Be16,
    /// Three flags, then the fragment offset in units of 8 bytes.
    pub fragment: Be16,
    /// Time to live.
    pub ttl: u8,
    /// IP protocol number of the payload.
    pub protocol: u8,
    /// Ones' complement of the header's ones' complement sum.
    pub checksum: Be16,
    /// Source address, as words in memory order.
    pub source: [u16; 2],
    /// Destination address, as words in memory order.
    pub destination: [u16; 2],
}

impl Wire for Ipv4 {}

impl Ipv4 {
    /// Flag in `fragment`: do not fragment.
    pub const DONT_FRAGMENT: Be16 = Be16::new(0x4000);

    /// `version_and_length` of a header without options.
    pub const PLAIN: u8 = 0x45;

    /// The IP version that it claims.
    #[must_use]
    #[inline(always)]
    pub const fn version(&self) -> u8 {
        self.version_and_length >> 4
    }

    /// Length of the header with its options, in bytes: 0 to 60.
    #[must_use]
    #[inline(always)]
    pub const fn header_length(&self) -> usize {
        (self.version_and_length as usize & 0xf) * 4
    }

    /// Where the payload of a fragment belongs, in bytes.
    #[must_use]
    #[inline(always)]
    pub const fn fragment_offset(&self) -> u16 {
        (self.fragment.get() & 0x1fff) << 3
    }

    /// Whether it is one of several fragments.
    #[must_use]
    #[inline(always)]
    pub const fn is_part(&self) -> bool {
        self.fragment.raw & Be16::new(0x3fff).raw != 0
    }

    /// Whether other fragments follow.
    #[must_use]
    #[inline(always)]
    pub const fn has_more_fragments(&self) -> bool {
        self.fragment.get() & 0x2000 != 0
    }
}
