//! TCP (RFC 9293), UDP (RFC 768) and GUE (draft-ietf-intarea-gue-09) headers.

use bytemuck::{Pod, Zeroable};
use lb_common::{Be16, Sequence};

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
    /// Flags.
    pub const FIN: u8 = 0x01;
    /// See [`Tcp::FIN`].
    pub const SYN: u8 = 0x02;
    /// See [`Tcp::FIN`].
    pub const RST: u8 = 0x04;
    /// See [`Tcp::FIN`].
    pub const ACK: u8 = 0x10;

    /// Length of the header with its options, in bytes: 0 to 60.
    #[must_use]
    #[inline(always)]
    pub const fn header_length(&self) -> usize {
        (self.data_offset as usize >> 4) * 4
    }

    /// Sequence and acknowledgement number.
    #[must_use]
    #[inline(always)]
    pub const fn place(&self) -> Sequence {
        let ([sent_high, sent_low], [high, low]) = (self.sequence, self.acknowledgement);
        Sequence {
            sent: (sent_high.get() as u32) << 16 | sent_low.get() as u32,
            received: (high.get() as u32) << 16 | low.get() as u32,
        }
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

/// The first four bytes of TCP and UDP.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Ports {
    /// Source port.
    pub source: Be16,
    /// Destination port.
    pub destination: Be16,
}

impl Wire for Ports {}

/// Words of a packet, in network byte order.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Words<const COUNT: usize> {
    /// They.
    pub words: [u16; COUNT],
}

impl<const COUNT: usize> Wire for Words<COUNT> {}

/// One byte.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Byte {
    /// It.
    pub byte: u8,
}

impl Wire for Byte {}

/// A TCP option of four bytes, at any address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct TcpOption {
    /// Kind, length, value.
    pub bytes: [u8; 4],
}

impl Wire for TcpOption {}

/// The GUE header of variant 0 without optional fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Gue {
    /// Variant (2 bits), control flag, length of optional fields in words of 32 bits (5 bits).
    pub variant_and_length: u8,
    /// IP protocol number of what follows.
    pub protocol: u8,
    /// Which optional fields there are.
    pub flags: Be16,
}

impl Wire for Gue {}
