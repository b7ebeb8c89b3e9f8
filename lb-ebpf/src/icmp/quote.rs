//! The packet in an ICMP error: its IP header and at least 8 bytes of its payload (RFC 792; RFC
//! 4443 sends more), which is enough for the ports.

use lb_common::{
    Address, Be16, DropReason, Family,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Packet, Wire as _,
    header::{Ipv4, Ipv6, Ports},
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

/// Why a quoted packet has no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It ends before its ports.
    CutOff,
    /// It is not the start of a TCP or UDP packet.
    OtherPacket,
}

/// Reads the packet quoted in the `room` bytes at `offset`; bytes after them are padding.
#[inline(always)]
pub(crate) fn parse<P: Packet>(
    packet: &P,
    family: Family,
    offset: usize,
    room: usize,
) -> Result<Quote, Unusable> {
    // The verifier loses the bound of a sum; a chain of IPv6 headers ends below it.
    let offset = offset & 0x3fff;
    let mut quote = match family {
        Family::V4 => v4(packet, offset, room)?,
        Family::V6 => v6(packet, offset, room)?,
    };
    if !matches!(quote.protocol, TCP | UDP) {
        return Err(Unusable::OtherPacket);
    }
    if quote.header_length + Ports::LEN > room {
        return Err(Unusable::CutOff);
    }
    let ports =
        packet.get::<Ports>(offset + (quote.header_length & 0x3fff)).ok_or(Unusable::CutOff)?;
    quote.source_port = ports.source;
    quote.destination_port = ports.destination;
    Ok(quote)
}

#[inline(always)]
fn v4<P: Packet>(packet: &P, offset: usize, room: usize) -> Result<Quote, Unusable> {
    if room < Ipv4::LEN {
        return Err(Unusable::CutOff);
    }
    let ip = packet.get::<Ipv4>(offset).ok_or(Unusable::CutOff)?;
    let sound = ip.version() == 4 && ip.header_length() >= Ipv4::LEN && ip.fragment_offset() == 0;
    if !sound {
        return Err(Unusable::OtherPacket);
    }
    Ok(Quote {
        source: Address::from_v4_words(ip.source),
        destination: Address::from_v4_words(ip.destination),
        protocol: ip.protocol,
        source_port: Be16::default(),
        destination_port: Be16::default(),
        header_length: ip.header_length(),
    })
}

#[inline(always)]
fn v6<P: Packet>(packet: &P, offset: usize, room: usize) -> Result<Quote, Unusable> {
    if room < Ipv6::LEN {
        return Err(Unusable::CutOff);
    }
    let ip = packet.get::<Ipv6>(offset).ok_or(Unusable::CutOff)?;
    if ip.version() != 6 {
        return Err(Unusable::OtherPacket);
    }
    let chain = packet.extension_chain(offset, ip.next_header, room).map_err(unusable)?;
    if chain.fragment_offset != 0 {
        return Err(Unusable::OtherPacket);
    }
    Ok(Quote {
        source: Address::from_v6_words(ip.source),
        destination: Address::from_v6_words(ip.destination),
        protocol: chain.protocol,
        source_port: Be16::default(),
        destination_port: Be16::default(),
        header_length: usize::from(chain.header_length),
    })
}

/// A chain that ends too early is cut off.
#[inline(always)]
fn unusable(reason: DropReason) -> Unusable {
    match reason {
        DropReason::ExtensionHeaderMalformed => Unusable::CutOff,
        _ => Unusable::OtherPacket,
    }
}
