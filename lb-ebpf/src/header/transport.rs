//! TCP (RFC 9293) and UDP (RFC 768) headers.

use bytemuck::{Pod, Zeroable};
use lb_common::Be16;

use crate::Wire;

/// The first 20 bytes of a TCP header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Tcp {
    /// Source port.
    pub source_port: Be16,
    /// Destination port.
    pub destination_port: Be16,
    /// Sequence number.
    pub sequence: [Be16; 2],
    /// Acknowledgement number.
    pub acknowledgement: [Be16; 2],
    /// Header length in words of 32 bits in the high four bits.
    pub data_offset: u8,
    /// CWR, ECE, URG, ACK, PSH, RST, SYN, FIN.
    pub flags: u8,
    /// Window.
    pub window: Be16,
    /// Checksum.
    pub checksum: Be16,
    /// Urgent pointer.
    pub urgent: Be16,
}

impl Wire for Tcp {}

impl Tcp {
    /// Length of the header with its options, in bytes: 0 to 60.
    #[must_use]
    #[inline(always)]
    pub const fn header_length(&self) -> usize {
        (self.data_offset as usize >> 4) * 4
    }
}

/// The UDP header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Udp {
    /// Source port.
    pub source_port: Be16,
    /// Destination port.
    pub destination_port: Be16,
    /// Length of header and payload in bytes.
    pub length: Be16,
    /// Checksum.
    pub checksum: Be16,
}

impl Wire for Udp {}
