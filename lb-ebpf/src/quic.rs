//! QUIC (RFC 9000, RFC 9369): which datagrams of a client open a connection.

use bytemuck::{Pod, Zeroable};

use crate::{Datagram, Packet, Wire, header::Udp, link::Link};

/// The start of a long header: form, fixed bit, type and four bits of others; then the version, of
/// which the last byte is not read; in words of 16 bits.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct LongHeader {
    words: [u16; 2],
}

impl Wire for LongHeader {}

/// Form bit and packet type of a long header.
const FORM_AND_TYPE: u8 = 0x80 | 0x30;

/// Long header, type Initial: 0 in version 1, 1 in version 2 (RFC 9369, section 3.2).
const INITIAL_1: u8 = 0x80;
const INITIAL_2: u8 = 0x80 | 0x10;

/// The first three bytes of version 2, 0x6b3343cf.
const VERSION_2: [u8; 3] = [0x6b, 0x33, 0x43];

/// Whether a datagram begins with an Initial packet. Unknown versions are parsed as version 1.
#[inline(always)]
pub(crate) fn is_initial<P: Packet>(packet: &P, link: &Link, datagram: &Datagram) -> bool {
    let offset = link.ip_offset() + usize::from(datagram.header_length & 0x3fff) + Udp::LEN;
    packet.get::<LongHeader>(offset).is_some_and(|header| {
        let [first, version @ ..]: [u8; 4] = bytemuck::cast(header.words);
        let initial = if version == VERSION_2 { INITIAL_2 } else { INITIAL_1 };
        first & FORM_AND_TYPE == initial
    })
}
