//! The packet in an ICMP error: its IP header and at least 8 bytes of its payload (RFC 792; RFC
//! 4443 sends more), which is enough for the ports.

use lb_common::{
    Address, Be16, Family,
    limits::EXTENSION_HEADERS_MAX,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Packet, Wire as _, family,
    header::{Extension, Ipv4, Ipv6, Ports, next_header},
};

/// The flow of a quoted packet, and the positions of its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) protocol: u8,
    pub(crate) source_port: Be16,
    pub(crate) destination_port: Be16,
    /// Length of its IP header, options and extension headers in bytes.
    pub(crate) header_length: usize,
}

impl Quote {
    /// Whether its ports are within the `room` bytes of the quote; bytes after them are padding.
    #[inline(always)]
    pub(crate) const fn fits(&self, room: usize) -> bool {
        self.header_length + Ports::LEN <= room
    }
}

/// Reads the packet quoted at `offset`; `None` when it is not the start of a TCP or UDP packet.
#[inline(always)]
pub(crate) fn parse<P: Packet>(packet: &P, family: Family, offset: usize) -> Option<Quote> {
    // The verifier loses the bound of a sum; a chain of IPv6 headers ends below it.
    let offset = offset & 0x3fff;
    let mut quote = match family {
        Family::V4 => v4(packet, offset)?,
        Family::V6 => v6(packet, offset)?,
    };
    if !matches!(quote.protocol, TCP | UDP) {
        return None;
    }
    let ports = packet.get::<Ports>(offset + (quote.header_length & 0x3fff))?;
    quote.source_port = ports.source;
    quote.destination_port = ports.destination;
    Some(quote)
}

#[inline(always)]
fn v4<P: Packet>(packet: &P, offset: usize) -> Option<Quote> {
    let ip = packet.get::<Ipv4>(offset)?;
    let sound = ip.version() == 4 && ip.header_length() >= Ipv4::LEN && ip.fragment_offset() == 0;
    sound.then_some(Quote {
        source: Address::from_v4_words(ip.source),
        destination: Address::from_v4_words(ip.destination),
        protocol: ip.protocol,
        source_port: Be16::default(),
        destination_port: Be16::default(),
        header_length: ip.header_length(),
    })
}

#[inline(always)]
fn v6<P: Packet>(packet: &P, offset: usize) -> Option<Quote> {
    let ip = packet.get::<Ipv6>(offset)?;
    if ip.version() != 6 {
        return None;
    }
    let mut quote = Quote {
        source: Address::from_v6_words(ip.source),
        destination: Address::from_v6_words(ip.destination),
        protocol: ip.next_header,
        source_port: Be16::default(),
        destination_port: Be16::default(),
        header_length: Ipv6::LEN,
    };
    for _ in 0..EXTENSION_HEADERS_MAX {
        if !family::is_extension(quote.protocol) {
            break;
        }
        let extension = packet.get::<Extension>(offset + (quote.header_length & 0x3fff))?;
        if quote.protocol == next_header::FRAGMENT && extension.fragment().offset != 0 {
            return None;
        }
        quote.header_length += extension.length_as(quote.protocol);
        quote.protocol = extension.next_header;
    }
    Some(quote)
}
