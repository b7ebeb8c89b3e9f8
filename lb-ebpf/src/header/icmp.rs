//! ICMP (RFC 792) and ICMPv6 (RFC 4443) headers.

use bytemuck::{Pod, Zeroable};
use lb_common::Be16;

use crate::Wire;

/// The first eight bytes of a message.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Icmp {
    /// Type and code, as one word.
    pub type_and_code: Be16,
    /// Checksum.
    pub checksum: Be16,
    /// What the type says: identifier and sequence number, or unused and MTU.
    pub rest: [Be16; 2],
}

impl Wire for Icmp {}

impl Icmp {
    /// The type.
    #[must_use]
    #[inline(always)]
    pub const fn kind(&self) -> u8 {
        (self.type_and_code.get() >> 8) as u8
    }
}

/// Numbers of ICMP.
pub mod icmp_v4 {
    use lb_common::Be16;

    /// Its IP protocol number.
    pub const PROTOCOL: u8 = 1;
    /// Echo reply.
    pub const ECHO_REPLY: Be16 = Be16::new(0x0000);
    /// Echo request.
    pub const ECHO_REQUEST: Be16 = Be16::new(0x0800);
    /// Type of "destination unreachable".
    pub const UNREACHABLE: u8 = 3;
    /// "Fragmentation needed and don't fragment was set" (RFC 1191).
    pub const FRAGMENTATION_NEEDED: Be16 = Be16::new(0x0304);
    /// Type of "time exceeded".
    pub const TIME_EXCEEDED: u8 = 11;
    /// Type of "parameter problem".
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// Numbers of ICMPv6.
pub mod icmp_v6 {
    use lb_common::Be16;

    /// Its IP protocol number.
    pub const PROTOCOL: u8 = 58;
    /// Type of "destination unreachable", the first kind of error.
    pub const UNREACHABLE: u8 = 1;
    /// "Packet too big".
    pub const PACKET_TOO_BIG: Be16 = Be16::new(0x0200);
    /// Type of "parameter problem", the last kind of error.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: Be16 = Be16::new(0x8000);
    /// Echo reply.
    pub const ECHO_REPLY: Be16 = Be16::new(0x8100);
}
