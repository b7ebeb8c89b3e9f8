//! Answers pings to a VIP (RFC 792, RFC 4443), so that they say something about the balancer that
//! serves it.

use lb_common::{Be16, Counter, DropReason, Family, Limit, Switches};

use crate::{
    Packet, Tables, Verdict, Wire as _, checksum,
    header::{Ethernet, Icmp, Ipv4, Ipv6, icmp_v4, icmp_v6},
    ip_packet::IpPacket,
    link::{self, Link},
    parse, sender,
};

/// TTL and hop limit of an answer (the IANA default of RFC 1700).
const TTL: u8 = 64;

/// Turns a ping into its answer, in place, if its sender may have one: addresses change sides, which no
/// checksum sees.
///
/// IPv4 options are left out: a source route would send the answer where the sender of the request likes
/// (RFC 6274, section 3.13.2.3). Pings with IPv6 extension headers are the host's own to answer (RFC 5095).
#[inline(always)]
pub(crate) fn answer<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    if !tables.switches().has(Switches::ECHO_REPLY) {
        return Verdict::Pass;
    }
    let Some((link, ip)) = read(packet) else {
        return Verdict::Pass;
    };
    if let Err(reason) = allowed(&ip, tables) {
        tables.count(reason.index());
        return Verdict::Drop(reason);
    }
    match turn(packet, &link, &ip) {
        Some(()) => {
            tables.count(Counter::EchoReplySent.index());
            Verdict::Transmit
        }
        None => Verdict::Pass,
    }
}

/// Its headers; `None` when it has IPv6 extension headers: a routing header may lead it on to another host.
#[inline(always)]
fn read<P: Packet>(packet: &P) -> Option<(Link, IpPacket)> {
    let link = link::parse(packet).ok()?;
    let ip = parse::ip(packet, &link).ok()?;
    let extended = matches!(ip.family, Family::V6) && ip.header_length != Ipv6::LEN;
    if extended { None } else { Some((link, ip)) }
}

/// Whether it may be answered now.
#[inline(always)]
fn allowed<T: Tables>(ip: &IpPacket, tables: &T) -> Result<(), DropReason> {
    if !sender::may_be_answered(ip.family, ip.source, ip.destination) {
        return Err(DropReason::SourceInvalid);
    }
    if tables.allowed(Limit::EchoReply) { Ok(()) } else { Err(DropReason::IcmpRateLimited) }
}

#[inline(always)]
fn turn<P: Packet>(packet: &mut P, link: &Link, ip: &IpPacket) -> Option<()> {
    let offset = link.ip_offset();
    let ethernet = *packet.get::<Ethernet>(0)?;
    let icmp = *packet.get::<Icmp>(offset + (ip.header_length & 0x3fff))?;
    match ip.family {
        Family::V4 => {
            let header = *packet.get::<Ipv4>(offset)?;
            cut_options(packet, ip)?;
            turn_v4(packet, offset, header, ip)?;
            let header = packet.get_mut::<Icmp>(offset + Ipv4::LEN)?;
            *header = reply(&icmp, icmp_v4::ECHO_REPLY);
        }
        Family::V6 => {
            let header = *packet.get::<Ipv6>(offset)?;
            turn_v6(packet, offset, header)?;
            let header = packet.get_mut::<Icmp>(offset + Ipv6::LEN)?;
            *header = reply(&icmp, icmp_v6::ECHO_REPLY);
        }
    }
    link.write(packet, ethernet.source, ethernet.destination)
}

/// Cuts the IPv4 options off.
#[inline(always)]
fn cut_options<P: Packet>(packet: &mut P, ip: &IpPacket) -> Option<()> {
    match ip.header_length.wrapping_sub(Ipv4::LEN) & 0x3c {
        0 => Some(()),
        options => packet.shrink_head(options).ok(),
    }
}

#[inline(always)]
fn turn_v4<P: Packet>(packet: &mut P, offset: usize, old: Ipv4, ip: &IpPacket) -> Option<()> {
    let payload = ip.length.wrapping_sub(ip.header_length as u16);
    let mut header = Ipv4 {
        version_and_length: Ipv4::PLAIN,
        total_length: Be16::new(payload.wrapping_add(Ipv4::LEN as u16)),
        ttl: TTL,
        checksum: Be16::new(0),
        source: old.destination,
        destination: old.source,
        ..old
    };
    let words: [u16; 10] = bytemuck::cast(header);
    header.checksum = Be16::new(!checksum::fold(checksum::sum(&words)));
    *packet.get_mut::<Ipv4>(offset)? = header;
    Some(())
}

#[inline(always)]
fn turn_v6<P: Packet>(packet: &mut P, offset: usize, old: Ipv6) -> Option<()> {
    *packet.get_mut::<Ipv6>(offset)? =
        Ipv6 { hop_limit: TTL, source: old.destination, destination: old.source, ..old };
    Some(())
}

/// The header of the answer to a request.
#[inline(always)]
fn reply(request: &Icmp, type_and_code: Be16) -> Icmp {
    let checksum =
        checksum::update(request.checksum, request.type_and_code.get(), type_and_code.get());
    let [identifier, sequence] = request.rest;
    // All that is known of the message is 0, and so may be the rest: then the sum of nothing but zeros
    // is ones (RFC 1624, section 3). If it is not, a receiver takes both.
    let zeros = (type_and_code.raw | checksum.raw | identifier.raw | sequence.raw) == 0;
    let checksum = if zeros { Be16::new(0xffff) } else { checksum };
    Icmp { type_and_code, checksum, rest: request.rest }
}
