//! Answers pings to a VIP (RFC 792, RFC 4443), so that they say something about the balancer that
//! serves it.

use lb_common::{Counter, DropReason, Family, Limit, Switches};

use crate::{
    Packet, Tables, checksum,
    fault::IpPacket,
    header::{Ethernet, Icmp, Ipv4, Ipv6, icmp_v4, icmp_v6},
    link::Link,
    verdict::Stop,
};

/// TTL and hop limit of an answer (the IANA default of RFC 1700).
const TTL: u8 = 64;

/// Turns the request into its answer, in place: addresses change sides, which no checksum sees.
#[inline(always)]
pub(super) fn answer<P: Packet, T: Tables>(
    packet: &mut P,
    link: &Link,
    ip: &IpPacket,
    icmp: &Icmp,
    tables: &T,
) -> Stop {
    if !tables.switches().has(Switches::ECHO_REPLY) {
        return Stop::Pass;
    }
    if !tables.allowed(Limit::EchoReply) {
        return Stop::Drop(DropReason::IcmpRateLimited);
    }
    match turn(packet, link, ip, icmp) {
        Some(()) => Stop::Answer(Counter::EchoReplySent),
        None => Stop::Pass,
    }
}

#[inline(always)]
fn turn<P: Packet>(packet: &mut P, link: &Link, ip: &IpPacket, icmp: &Icmp) -> Option<()> {
    let offset = link.ip_offset();
    let reply = match ip.family {
        Family::V4 => icmp_v4::ECHO_REPLY,
        Family::V6 => icmp_v6::ECHO_REPLY,
    };
    let header = packet.get_mut::<Icmp>(offset + ip.header_length)?;
    header.checksum = checksum::update(icmp.checksum, icmp.type_and_code.get(), reply.get());
    header.type_and_code = reply;
    match ip.family {
        Family::V4 => {
            let header = packet.get_mut::<Ipv4>(offset)?;
            (header.source, header.destination) = (header.destination, header.source);
            let word = |ttl| u16::from_be_bytes([ttl, icmp_v4::PROTOCOL]);
            header.checksum = checksum::update(header.checksum, word(header.ttl), word(TTL));
            header.ttl = TTL;
        }
        Family::V6 => {
            let header = packet.get_mut::<Ipv6>(offset)?;
            (header.source, header.destination) = (header.destination, header.source);
            header.hop_limit = TTL;
        }
    }
    let ethernet = packet.get_mut::<Ethernet>(0)?;
    (ethernet.source, ethernet.destination) = (ethernet.destination, ethernet.source);
    Some(())
}
