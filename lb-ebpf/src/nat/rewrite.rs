//! Rewrites the ends of a packet, and every checksum that covers them (RFC 1624); in ICMP errors
//! also those of the packet in them (RFC 5508). A translated packet has been routed: its TTL is one
//! less.

use lb_common::{
    Address, Be16, Binding, DropReason, Family,
    listener::protocol::{TCP, UDP},
};

use super::life::Direction;
use crate::{
    Content, Datagram, Packet, Wire as _,
    checksum::{self, swap},
    header::{Icmp, Ipv4, Ipv6, Ports, Tcp, Udp},
    icmp::quote::{self, Quote},
};

/// Both ends of a packet, in a binding.
#[derive(Clone, Copy)]
struct Ends<'a> {
    source: &'a Address,
    destination: &'a Address,
    source_port: Be16,
    destination_port: Be16,
}

/// What a packet comes to: its addresses (a source that is `None` stays), and the ends that its
/// transport header, or, in an ICMP error, the packet in it, gets.
struct Wanted<'a> {
    source: Option<&'a Address>,
    destination: &'a Address,
    ends: Ends<'a>,
}

/// The ends that packets of a binding get in a direction.
#[inline(always)]
const fn ends(binding: &Binding, direction: Direction) -> Ends<'_> {
    match direction {
        Direction::Request => Ends {
            source: &binding.local,
            destination: &binding.target_address,
            source_port: binding.local_port,
            destination_port: binding.target_port,
        },
        Direction::Reply => Ends {
            source: &binding.vip,
            destination: &binding.client,
            source_port: binding.vip_port,
            destination_port: binding.client_port,
        },
    }
}

/// Rewrites the packet of `flow`, whose IP header is at `offset`.
#[inline(always)]
pub(super) fn packet<P: Packet>(
    packet: &mut P,
    offset: usize,
    flow: &Datagram,
    binding: &Binding,
    direction: Direction,
) -> Result<(), DropReason> {
    let missing = DropReason::TransportHeaderMalformed;
    let ends = ends(binding, direction);
    let mut wanted = Wanted { source: Some(ends.source), destination: ends.destination, ends };
    let transport = offset + usize::from(flow.header_length & 0x3fff);
    if matches!(flow.content, Content::IcmpError) {
        // The quoted packet has the opposite direction. Whoever sent the error stays, but a target:
        // all that it sends comes from the VIP.
        let own = matches!(direction, Direction::Reply)
            && source(packet, offset, flow.family) == Some(binding.target_address);
        wanted.source = if own { Some(&binding.vip) } else { None };
        wanted.ends = Ends {
            source: ends.destination,
            destination: ends.source,
            source_port: ends.destination_port,
            destination_port: ends.source_port,
        };
    }
    let change =
        addresses(packet, offset, flow.family, wanted.source, wanted.destination).ok_or(missing)?;
    match flow.content {
        Content::LaterFragment => Some(()),
        Content::Whole | Content::FirstFragment => {
            ports(packet, transport, flow.protocol, &wanted.ends, change).map(|_| ())
        }
        Content::IcmpError => {
            let end = offset + usize::from(flow.length);
            error(packet, transport, end, flow.family, &wanted.ends, change)
        }
    }
    .ok_or(missing)
}

/// Whether the IP packet at `offset` may take another hop.
#[inline(always)]
pub(super) fn can_go_on<P: Packet>(
    packet: &P,
    offset: usize,
    family: Family,
) -> Result<(), DropReason> {
    let left = match family {
        Family::V4 => packet.get::<Ipv4>(offset).map(|ip| ip.ttl),
        Family::V6 => packet.get::<Ipv6>(offset).map(|ip| ip.hop_limit),
    };
    if left.is_some_and(|left| left > 1) { Ok(()) } else { Err(DropReason::TtlExceeded) }
}

/// The source of the IP packet at `offset`.
#[inline(always)]
fn source<P: Packet>(packet: &P, offset: usize, family: Family) -> Option<Address> {
    Some(match family {
        Family::V4 => Address::from_v4_words(packet.get::<Ipv4>(offset)?.source),
        Family::V6 => Address::from_v6_words(packet.get::<Ipv6>(offset)?.source),
    })
}

/// Writes an address over another; gives what that adds to a sum that covers it.
#[inline(always)]
fn put(words: &mut [u16], address: &Address) -> u32 {
    let new: &[u16; 8] = bytemuck::cast_ref(&address.words);
    let mut change = 0;
    for (word, new) in words.iter_mut().zip(new) {
        change += swap(*word, *new);
        *word = *new;
    }
    change
}

/// Writes the addresses and the TTL of the IP packet at `offset`; gives what the addresses add to
/// sums that cover them.
#[inline(always)]
fn addresses<P: Packet>(
    packet: &mut P,
    offset: usize,
    family: Family,
    source: Option<&Address>,
    destination: &Address,
) -> Option<u32> {
    match family {
        Family::V4 => {
            let ip = packet.get_mut::<Ipv4>(offset)?;
            let mut change = put(&mut ip.destination, destination);
            if let Some(source) = source {
                change += put(&mut ip.source, source);
            }
            let old = u16::from_ne_bytes([ip.ttl, ip.protocol]);
            ip.ttl = ip.ttl.wrapping_sub(1);
            let new = u16::from_ne_bytes([ip.ttl, ip.protocol]);
            ip.checksum = checksum::apply(ip.checksum, change + swap(old, new));
            Some(change)
        }
        Family::V6 => {
            let ip = packet.get_mut::<Ipv6>(offset)?;
            ip.hop_limit = ip.hop_limit.wrapping_sub(1);
            let mut change = put(&mut ip.destination, destination);
            if let Some(source) = source {
                change += put(&mut ip.source, source);
            }
            Some(change)
        }
    }
}

/// Writes the ports of the transport header at `offset`, and its checksum, which covers the
/// addresses, too; gives what all of that adds to a sum that covers the header.
#[inline(always)]
fn ports<P: Packet>(
    packet: &mut P,
    offset: usize,
    protocol: u8,
    ends: &Ends<'_>,
    addresses: u32,
) -> Option<u32> {
    match protocol {
        TCP => {
            let tcp = packet.get_mut::<Tcp>(offset)?;
            let change = swap(tcp.source_port.raw, ends.source_port.raw)
                + swap(tcp.destination_port.raw, ends.destination_port.raw);
            let old = tcp.checksum;
            tcp.checksum = checksum::apply(old, addresses + change);
            (tcp.source_port, tcp.destination_port) = (ends.source_port, ends.destination_port);
            Some(change + swap(old.raw, tcp.checksum.raw))
        }
        UDP => {
            let udp = packet.get_mut::<Udp>(offset)?;
            let change = swap(udp.source_port.raw, ends.source_port.raw)
                + swap(udp.destination_port.raw, ends.destination_port.raw);
            let old = udp.checksum;
            // Zero says that there is none; a sum of zero is sent as ones (RFC 768).
            if old.raw != 0 {
                udp.checksum = checksum::apply(old, addresses + change);
                if udp.checksum.raw == 0 {
                    udp.checksum = Be16::new(0xffff);
                }
            }
            (udp.source_port, udp.destination_port) = (ends.source_port, ends.destination_port);
            Some(change + swap(old.raw, udp.checksum.raw))
        }
        _ => None,
    }
}

/// Rewrites the packet in the ICMP error at `offset`, which ends at `end`; `outer` is what the
/// addresses of the error itself have changed.
#[inline(always)]
fn error<P: Packet>(
    packet: &mut P,
    offset: usize,
    end: usize,
    family: Family,
    ends: &Ends<'_>,
    outer: u32,
) -> Option<()> {
    let at = offset + Icmp::LEN;
    // Before the quote is read: the verifier would walk the addresses once for each chain of headers in it.
    let (addresses, header) = quoted_addresses(packet, at, family, ends)?;
    // Its flow has been read, so that it ends within the packet.
    let quote = quote::parse(packet, family, at, usize::MAX).ok()?;
    let transport = at + (quote.header_length & 0x3fff);
    let ports = quoted_ports(packet, transport, end, &quote, ends, addresses)?;
    let icmp = packet.get_mut::<Icmp>(offset)?;
    let pseudo_header = match family {
        Family::V4 => 0,
        // ICMPv6 covers the addresses of the packet that it is in (RFC 4443, section 2.3).
        Family::V6 => outer,
    };
    icmp.checksum = checksum::apply(icmp.checksum, header + ports + pseudo_header);
    Some(())
}

/// Writes the addresses of the quoted packet; gives what they add to sums that cover them, and what
/// the whole header adds.
#[inline(always)]
fn quoted_addresses<P: Packet>(
    packet: &mut P,
    offset: usize,
    family: Family,
    ends: &Ends<'_>,
) -> Option<(u32, u32)> {
    match family {
        Family::V4 => {
            let ip = packet.get_mut::<Ipv4>(offset)?;
            let change =
                put(&mut ip.source, ends.source) + put(&mut ip.destination, ends.destination);
            let old = ip.checksum;
            ip.checksum = checksum::apply(old, change);
            Some((change, change + swap(old.raw, ip.checksum.raw)))
        }
        Family::V6 => {
            let ip = packet.get_mut::<Ipv6>(offset)?;
            let change =
                put(&mut ip.source, ends.source) + put(&mut ip.destination, ends.destination);
            Some((change, change))
        }
    }
}

/// Writes the ports of the quoted packet, and its checksum if the quote is that long; gives what
/// that adds to a sum that covers it.
#[inline(always)]
fn quoted_ports<P: Packet>(
    packet: &mut P,
    offset: usize,
    end: usize,
    quote: &Quote,
    ends: &Ends<'_>,
    addresses: u32,
) -> Option<u32> {
    let whole = match quote.protocol {
        TCP => Tcp::LEN,
        _ => Udp::LEN,
    };
    if offset + whole <= end {
        return ports(packet, offset, quote.protocol, ends, addresses);
    }
    let quoted = packet.get_mut::<Ports>(offset)?;
    let change = swap(quoted.source.raw, ends.source_port.raw)
        + swap(quoted.destination.raw, ends.destination_port.raw);
    (quoted.source, quoted.destination) = (ends.source_port, ends.destination_port);
    Some(change)
}
