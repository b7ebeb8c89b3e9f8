//! The target side: takes the outer headers off (RFC 2003, RFC 2473, GUE; ECN by RFC 6040), so that
//! a target needs no tunnel device. All four combinations of families. What comes out is for VIPs only.

use lb_common::{
    Be16, Counter, DropReason, Family, VipKey,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Packet, Verdict, Wire as _, checksum,
    family::{IpFamily, V4, V6},
    fault::{Fault, FaultKind},
    header::{Ethernet, Gue, Ipv4, Ipv6, Udp},
    icmp,
    ip_packet::IpPacket,
    link::{self, Link},
    parse, stats,
    tables::DecapTables,
    verdict::Stop,
};

/// Both ECN bits set: congestion experienced (RFC 3168).
const CONGESTION_EXPERIENCED: u8 = 0b11;

/// ECN-capable transport, the first and the second of its code points (RFC 3168).
const ECT_0: u8 = 0b10;
const ECT_1: u8 = 0b01;

/// Unwraps a packet that is for this host, and leaves every other one untouched.
#[inline(always)]
pub fn process<P: Packet, T: DecapTables>(packet: &mut P, tables: &T) -> Verdict {
    unwrap(packet, tables).unwrap_or_else(|stop| stats::stopped(stop, tables))
}

#[inline(always)]
fn unwrap<P: Packet, T: DecapTables>(packet: &mut P, tables: &T) -> Result<Verdict, Stop> {
    let link = link::parse(packet)?;
    let offset = link.ip_offset();
    let outer = parse::ip(packet, &link).map_err(|fault| judge(fault, packet, &link, tables))?;
    let tunnel = tunnel(packet, offset, &outer, tables)?;
    if !tables.is_local(&VipKey::new(outer.family, outer.destination)) {
        return Err(Stop::Pass);
    }
    if !tables.is_allowed(&VipKey::new(outer.family, outer.source)) {
        return Err(DropReason::OuterSourceRefused.into());
    }
    if tunnel.end > outer.length || usize::from(tunnel.end) < tunnel.length {
        return Err(DropReason::OuterHeaderMalformed.into());
    }
    let inner_offset = offset + tunnel.length;
    let room = usize::from(tunnel.end).wrapping_sub(tunnel.length);
    match tunnel.family {
        Family::V4 => {
            check(V4::parse(packet, inner_offset), room, packet, inner_offset, tables)?;
            mark_v4(packet, inner_offset, outer.traffic_class)?;
        }
        Family::V6 => {
            check(V6::parse(packet, inner_offset), room, packet, inner_offset, tables)?;
            mark_v6(packet, inner_offset, outer.traffic_class)?;
        }
    }
    strip(packet, &link, &tunnel)?;
    tables.count(tunnel.counter.index());
    Ok(Verdict::Pass)
}

/// What a tunnel packet has in front of the packet in it.
struct Tunnel {
    /// Which IP is inside.
    family: Family,
    /// Length of all outer headers in bytes.
    length: usize,
    /// Where the packet in it must end, from the start of the outer IP header.
    end: u16,
    /// What counts it.
    counter: Counter,
}

/// Which tunnel this is; anything else is the host's.
#[inline(always)]
fn tunnel<P: Packet, T: DecapTables>(
    packet: &P,
    offset: usize,
    outer: &IpPacket,
    tables: &T,
) -> Result<Tunnel, Stop> {
    if outer.fragment.is_part() {
        return Err(Stop::Pass);
    }
    let ipip = |family| {
        let (length, end) = (outer.header_length, outer.length);
        Ok(Tunnel { family, length, end, counter: Counter::Decapsulated })
    };
    match outer.protocol {
        V4::PROTOCOL => ipip(Family::V4),
        V6::PROTOCOL => ipip(Family::V6),
        UDP => gue(packet, offset, outer, tables),
        _ => Err(Stop::Pass),
    }
}

/// Generic UDP Encapsulation (draft-ietf-intarea-gue-09): variant 1, and variant 0 without control
/// messages and optional fields; a socket of the host may understand the others.
#[inline(always)]
fn gue<P: Packet, T: DecapTables>(
    packet: &P,
    offset: usize,
    outer: &IpPacket,
    tables: &T,
) -> Result<Tunnel, Stop> {
    let udp_offset = offset + outer.header_length;
    let udp = packet.get::<Udp>(udp_offset).ok_or(Stop::Pass)?;
    if udp.destination_port != tables.gue_port() {
        return Err(Stop::Pass);
    }
    let gue = packet.get::<Gue>(udp_offset + Udp::LEN).ok_or(Stop::Pass)?;
    let shim = outer.header_length + Udp::LEN;
    // Bytes after the datagram are not in the tunnel, regardless of the inner IP header.
    let end = udp.length.get().saturating_add(outer.header_length as u16);
    let counter = Counter::DecapsulatedGue;
    let tunnel = |family, length| Ok(Tunnel { family, length, end, counter });
    match (gue.variant_and_length, gue.protocol, gue.flags.get()) {
        (0, V4::PROTOCOL, 0) => tunnel(Family::V4, shim + Gue::LEN),
        (0, V6::PROTOCOL, 0) => tunnel(Family::V6, shim + Gue::LEN),
        (first, ..) if first >> 4 == 4 => tunnel(Family::V4, shim),
        (first, ..) if first >> 4 == 6 => tunnel(Family::V6, shim),
        _ => Err(Stop::Pass),
    }
}

/// Only a tunnel packet for this host is ours to drop: its outer header names the protocol.
#[inline(always)]
fn judge<P: Packet, T: DecapTables>(fault: Fault, packet: &P, link: &Link, tables: &T) -> Stop {
    let FaultKind::Malformed(_) = fault.kind else {
        return Stop::Pass;
    };
    let offset = link.ip_offset();
    let protocol = match link.family {
        Family::V4 => packet.get::<Ipv4>(offset).map(|ip| ip.protocol),
        Family::V6 => packet.get::<Ipv6>(offset).map(|ip| ip.next_header),
    };
    if matches!(protocol, Some(V4::PROTOCOL | V6::PROTOCOL)) && tables.is_local(&fault.vip) {
        Stop::Drop(DropReason::OuterHeaderMalformed)
    } else {
        Stop::Pass
    }
}

/// Checks that what is inside is a packet that a balancer sends: for a VIP of this host, whole within the
/// tunnel, and TCP, UDP, a ping or an ICMP error. Whoever can reach the target could else put any packet into it.
#[inline(always)]
fn check<P: Packet, T: DecapTables>(
    inner: Result<IpPacket, Fault>,
    room: usize,
    packet: &P,
    offset: usize,
    tables: &T,
) -> Result<(), DropReason> {
    let inner = inner.map_err(|_| DropReason::InnerHeaderMalformed)?;
    if usize::from(inner.length) > room {
        return Err(DropReason::InnerHeaderMalformed);
    }
    if !tables.may_receive(&VipKey::new(inner.family, inner.destination)) {
        return Err(DropReason::InnerDestinationRefused);
    }
    let carried = match inner.protocol {
        TCP | UDP => true,
        protocol if protocol != icmp::protocol(inner.family) => false,
        _ => carries_icmp(inner.family, packet, offset),
    };
    if carried { Ok(()) } else { Err(DropReason::InnerProtocolRefused) }
}

/// Whether an ICMP message comes out: a ping, an error, or a later fragment, whose first one has the type. Not
/// behind extension headers. The header is read again: what its parser knows of lengths, the verifier
/// would have to follow for each of them.
#[inline(always)]
fn carries_icmp<P: Packet>(family: Family, packet: &P, offset: usize) -> bool {
    let payload = match family {
        Family::V4 => {
            packet.get::<Ipv4>(offset).map(|ip| (ip.fragment_offset() != 0, ip.header_length()))
        }
        Family::V6 => packet
            .get::<Ipv6>(offset)
            .filter(|ip| ip.next_header == icmp::protocol(family))
            .map(|_| (false, Ipv6::LEN)),
    };
    payload.is_some_and(|(is_later_fragment, length)| {
        is_later_fragment
            || packet
                .copy_byte(offset + length)
                .is_some_and(|kind| icmp::may_enter_tunnel(family, kind))
    })
}

/// Carries congestion marks over to the inner IPv4 packet.
#[inline(always)]
fn mark_v4<P: Packet>(packet: &mut P, offset: usize, outer_class: u8) -> Result<(), DropReason> {
    let ip = packet.get_mut::<Ipv4>(offset).ok_or(DropReason::InnerHeaderMalformed)?;
    if let Some(marked) = class_to_carry(outer_class, ip.traffic_class)? {
        let word = |class| u16::from_be_bytes([ip.version_and_length, class]);
        let checksum = checksum::update(ip.checksum, word(ip.traffic_class), word(marked));
        (ip.traffic_class, ip.checksum) = (marked, checksum);
    }
    Ok(())
}

/// Carries congestion marks over to the inner IPv6 packet.
#[inline(always)]
fn mark_v6<P: Packet>(packet: &mut P, offset: usize, outer_class: u8) -> Result<(), DropReason> {
    let ip = packet.get_mut::<Ipv6>(offset).ok_or(DropReason::InnerHeaderMalformed)?;
    if let Some(marked) = class_to_carry(outer_class, ip.traffic_class())? {
        let [first, _] = &mut ip.version_class_label;
        *first = Be16::new(first.get() & 0xf00f | u16::from(marked) << 4);
    }
    Ok(())
}

/// The traffic class that the inner packet must get, if it is to change (RFC 6040, figure 4).
#[inline(always)]
const fn class_to_carry(outer: u8, inner: u8) -> Result<Option<u8>, DropReason> {
    match (outer & 0b11, inner & 0b11) {
        (CONGESTION_EXPERIENCED, 0) => Err(DropReason::EcnInvalid),
        (CONGESTION_EXPERIENCED, ECT_0 | ECT_1) => Ok(Some(inner | CONGESTION_EXPERIENCED)),
        (ECT_1, ECT_0) => Ok(Some(inner & !0b11 | ECT_1)),
        _ => Ok(None),
    }
}

/// Moves the link layer over the outer header and cuts the front off.
#[inline(always)]
fn strip<P: Packet>(packet: &mut P, link: &Link, tunnel: &Tunnel) -> Result<(), DropReason> {
    let short = DropReason::OuterHeaderMalformed;
    let ethernet = *packet.get::<Ethernet>(0).ok_or(short)?;
    packet.shrink_head(tunnel.length).map_err(|_| short)?;
    let link = Link { family: tunnel.family, ..*link };
    link.write(packet, ethernet.destination, ethernet.source).ok_or(short)
}
