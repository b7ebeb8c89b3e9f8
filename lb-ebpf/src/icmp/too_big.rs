//! Tells a sender that its packet does not fit: ICMP "fragmentation needed" (RFC 792, RFC 1191) and
//! ICMPv6 "packet too big" (RFC 4443), from the address that the packet was for.
//!
//! IPv4 senders get it even if they allow fragmentation: xelb cannot fragment, and Linux lowers its
//! path MTU for such a message, too.

use lb_common::{Address, Be16, Counter, DropReason, Family, Limit};

use crate::{
    Packet, Tables, Verdict, Wire as _, checksum,
    header::{Ethernet, Icmp, Ipv4, Ipv6, icmp_v4, icmp_v6},
    link, sender,
};

/// Most bytes of the packet that are sent back: with the new headers, what every host can receive (576
/// bytes in IPv4, RFC 1812; 1,280 in IPv6, RFC 4443).
const QUOTE_V4: u16 = 576 - 28;
const QUOTE_V6: u16 = 1280 - 48;

/// TTL and hop limit (the IANA default of RFC 1700).
const TTL: u8 = 64;

/// Drops a packet that is longer than `room` bytes, and turns it into a message to its sender.
#[inline(always)]
pub(crate) fn answer<P: Packet, T: Tables>(packet: &mut P, room: u16, tables: &T) -> Verdict {
    tables.count(DropReason::PacketTooBig.index());
    if tables.allowed(Limit::TooBig) && message(packet, room).is_some() {
        tables.count(Counter::TooBigSent.index());
        return Verdict::Transmit;
    }
    Verdict::Drop(DropReason::PacketTooBig)
}

#[inline(always)]
fn message<P: Packet>(packet: &mut P, room: u16) -> Option<()> {
    let link = link::parse(packet).ok()?;
    let ethernet = *packet.get::<Ethernet>(0)?;
    let offset = link.ip_offset();
    match link.family {
        Family::V4 => {
            let ip = *packet.get::<Ipv4>(offset)?;
            let [source, destination] = [ip.source, ip.destination].map(Address::from_v4_words);
            if !sender::may_be_answered(link.family, source, destination) {
                return None;
            }
            let (length, sum) = cut(packet, offset, ip.total_length.get(), QUOTE_V4)?;
            packet.grow_head(Ipv4::LEN + Icmp::LEN).ok()?;
            write_v4(packet, offset, &ip, room, length, sum)?;
        }
        Family::V6 => {
            let ip = *packet.get::<Ipv6>(offset)?;
            let [source, destination] = [ip.source, ip.destination].map(Address::from_v6_words);
            if !sender::may_be_answered(link.family, source, destination) {
                return None;
            }
            let length = ip.payload_length.get().saturating_add(Ipv6::LEN as u16);
            let (length, sum) = cut(packet, offset, length, QUOTE_V6)?;
            packet.grow_head(Ipv6::LEN + Icmp::LEN).ok()?;
            write_v6(packet, offset, &ip, room, length, sum)?;
        }
    }
    link.write(packet, ethernet.source, ethernet.destination)
}

/// Cuts the IP packet of `length` bytes at `offset` off behind its first `most` bytes; gives how many
/// there are, and their sum.
#[inline(always)]
fn cut<P: Packet>(packet: &mut P, offset: usize, length: u16, most: u16) -> Option<(u16, u32)> {
    let length = if length < most { length } else { most };
    let sum = packet.sum(offset, length)?;
    packet.shrink_tail(offset + usize::from(length)).ok()?;
    Some((length, sum))
}

#[inline(always)]
fn write_v4<P: Packet>(
    packet: &mut P,
    offset: usize,
    ip: &Ipv4,
    room: u16,
    quoted: u16,
    sum: u32,
) -> Option<()> {
    let total_length = quoted.wrapping_add((Ipv4::LEN + Icmp::LEN) as u16);
    let mut header = Ipv4 {
        version_and_length: 0x45,
        traffic_class: 0,
        total_length: Be16::new(total_length),
        identification: Be16::new(0),
        fragment: Ipv4::DONT_FRAGMENT,
        ttl: TTL,
        protocol: icmp_v4::PROTOCOL,
        checksum: Be16::new(0),
        source: ip.destination,
        destination: ip.source,
    };
    let words: [u16; 10] = bytemuck::cast(header);
    header.checksum = Be16::new(!checksum::fold(checksum::sum(&words)));
    *packet.get_mut::<Ipv4>(offset)? = header;
    *packet.get_mut::<Icmp>(offset + Ipv4::LEN)? = icmp(icmp_v4::FRAGMENTATION_NEEDED, room, sum);
    Some(())
}

#[inline(always)]
fn write_v6<P: Packet>(
    packet: &mut P,
    offset: usize,
    ip: &Ipv6,
    room: u16,
    quoted: u16,
    sum: u32,
) -> Option<()> {
    let payload_length = quoted.wrapping_add(Icmp::LEN as u16);
    *packet.get_mut::<Ipv6>(offset)? = Ipv6 {
        version_class_label: [Be16::new(0x6000), Be16::new(0)],
        payload_length: Be16::new(payload_length),
        next_header: icmp_v6::PROTOCOL,
        hop_limit: TTL,
        source: ip.destination,
        destination: ip.source,
    };
    // The pseudo-header (RFC 8200, section 8.1).
    let sum = sum
        + checksum::sum(&ip.source)
        + checksum::sum(&ip.destination)
        + u32::from(payload_length)
        + u32::from(icmp_v6::PROTOCOL);
    *packet.get_mut::<Icmp>(offset + Ipv6::LEN)? = icmp(icmp_v6::PACKET_TOO_BIG, room, sum);
    Some(())
}

/// The message; both versions have the MTU in the last two bytes. `sum` is the checksum of the
/// other bytes that it covers.
#[inline(always)]
fn icmp(type_and_code: Be16, room: u16, sum: u32) -> Icmp {
    let sum = sum + u32::from(type_and_code.get()) + u32::from(room);
    Icmp {
        type_and_code,
        checksum: Be16::new(!checksum::fold(sum)),
        rest: [Be16::new(0), Be16::new(room)],
    }
}
