//! Ends a TCP connection whose target is gone: RST, from the address that the packet was for (RFC
//! 9293, section 3.10.7.1), so that its client reconnects at once instead of waiting.

use lb_common::{Be16, Counter, DropReason, Family, Limit};

use crate::{
    Packet, Tables, Verdict, Wire as _, checksum,
    header::{Ethernet, Ipv4, Ipv6, Tcp},
    ip_packet::IpPacket,
    link::{self, Link},
    parse, sender,
};

/// TTL and hop limit (the IANA default of RFC 1700).
const TTL: u8 = 64;

/// The first byte of a TCP header's fourth word: five words long.
const DATA_OFFSET: u8 = 5 << 4;

/// Turns a TCP packet into the RST that answers it, or drops it when there have been too many.
#[inline(always)]
pub(crate) fn answer<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    let reason = match turn(packet, tables) {
        Ok(()) => {
            tables.count(Counter::ResetSent.index());
            return Verdict::Transmit;
        }
        Err(reason) => reason,
    };
    tables.count(reason.index());
    Verdict::Drop(reason)
}

/// Turns it, if its sender may be answered.
#[inline(always)]
fn turn<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Result<(), DropReason> {
    let malformed = DropReason::TransportHeaderMalformed;
    let link = link::parse(packet).map_err(|_| malformed)?;
    let ip = parse::ip(packet, &link).map_err(|_| malformed)?;
    if !sender::may_be_answered(ip.family, ip.source, ip.destination) {
        return Err(DropReason::SourceInvalid);
    }
    if !tables.allowed(Limit::Reset) {
        return Err(DropReason::ResetRateLimited);
    }
    write(packet, &link, &ip).ok_or(malformed)
}

#[inline(always)]
fn write<P: Packet>(packet: &mut P, link: &Link, ip: &IpPacket) -> Option<()> {
    let ethernet = *packet.get::<Ethernet>(0)?;
    let offset = link.ip_offset();
    let tcp = *packet.get::<Tcp>(offset + (ip.header_length & 0x3fff))?;
    let reply = reply(ip, &tcp)?;
    let length = match ip.family {
        Family::V4 => v4(packet, offset, reply)?,
        Family::V6 => v6(packet, offset, reply)?,
    };
    packet.shrink_tail(offset + length).ok()?;
    link.write(packet, ethernet.source, ethernet.destination)
}

/// The header that answers `tcp`, without its checksum.
#[inline(always)]
fn reply(ip: &IpPacket, tcp: &Tcp) -> Option<Tcp> {
    let zero = [Be16::new(0); 2];
    let mut reply = Tcp {
        source_port: tcp.destination_port,
        destination_port: tcp.source_port,
        sequence: tcp.acknowledgement,
        acknowledgement: zero,
        data_offset: DATA_OFFSET,
        flags: Tcp::RST,
        window: Be16::new(0),
        checksum: Be16::new(0),
        urgent: Be16::new(0),
    };
    if tcp.flags & Tcp::ACK == 0 {
        let payload = usize::from(ip.length).checked_sub(ip.header_length + tcp.header_length())?;
        let ends = u32::from(tcp.flags & Tcp::FIN != 0) + u32::from(tcp.flags & Tcp::SYN != 0);
        let [high, low] = tcp.sequence;
        let sequence = u32::from(high.get()) << 16 | u32::from(low.get());
        let next = sequence.wrapping_add(payload as u32).wrapping_add(ends);
        reply.sequence = zero;
        reply.acknowledgement = [Be16::new((next >> 16) as u16), Be16::new(next as u16)];
        reply.flags = Tcp::RST | Tcp::ACK;
    }
    Some(reply)
}

/// Writes the headers; gives the length of the packet.
#[inline(always)]
fn v4<P: Packet>(packet: &mut P, offset: usize, mut tcp: Tcp) -> Option<usize> {
    let length = Ipv4::LEN + Tcp::LEN;
    let ip = packet.get_mut::<Ipv4>(offset)?;
    *ip = Ipv4 {
        version_and_length: 0x45,
        traffic_class: 0,
        total_length: Be16::new(length as u16),
        identification: Be16::new(0),
        fragment: Ipv4::DONT_FRAGMENT,
        ttl: TTL,
        protocol: ip.protocol,
        checksum: Be16::new(0),
        source: ip.destination,
        destination: ip.source,
    };
    let words: [u16; 10] = bytemuck::cast(*ip);
    ip.checksum = Be16::new(!checksum::fold(checksum::sum(&words)));
    let pseudo = checksum::sum(&ip.source) + checksum::sum(&ip.destination);
    finish(&mut tcp, pseudo);
    *packet.get_mut::<Tcp>(offset + Ipv4::LEN)? = tcp;
    Some(length)
}

/// The same for IPv6.
#[inline(always)]
fn v6<P: Packet>(packet: &mut P, offset: usize, mut tcp: Tcp) -> Option<usize> {
    let ip = packet.get_mut::<Ipv6>(offset)?;
    *ip = Ipv6 {
        version_class_label: [Be16::new(0x6000), Be16::new(0)],
        payload_length: Be16::new(Tcp::LEN as u16),
        next_header: lb_common::listener::protocol::TCP,
        hop_limit: TTL,
        source: ip.destination,
        destination: ip.source,
    };
    let pseudo = checksum::sum(&ip.source) + checksum::sum(&ip.destination);
    finish(&mut tcp, pseudo);
    *packet.get_mut::<Tcp>(offset + Ipv6::LEN)? = tcp;
    Some(Ipv6::LEN + Tcp::LEN)
}

/// The checksum over header and pseudo-header (RFC 9293, section 3.1), of which `addresses` is the
/// sum of the addresses.
#[inline(always)]
fn finish(tcp: &mut Tcp, addresses: u32) {
    let words: [u16; 10] = bytemuck::cast(*tcp);
    let protocol = u32::from(lb_common::listener::protocol::TCP);
    let sum = addresses + protocol + Tcp::LEN as u32 + checksum::sum(&words);
    tcp.checksum = Be16::new(!checksum::fold(sum));
}
