//! Modes `ipip` and `gue`: the packet behind another IP header, in any combination of families.
//!
//! `ipip` is IP in IP (RFC 2003 and RFC 2473). `gue` is IP in UDP (Generic UDP Encapsulation,
//! draft-ietf-intarea-gue-09), as Linux FOU understands it: variant 1, IP directly behind the UDP
//! header, or variant 0, with a header of four bytes between. The source port comes from the flow
//! hash, so that routers and network cards spread flows. The UDP checksum is zero: RFC 768 allows it
//! for IPv4, RFC 6935 for tunnels over IPv6; what is inside has checksums of its own.
//!
//! The inner packet is not changed, not even its TTL: the target's stack is its first hop.

use lb_common::{
    Be16, Family, Target,
    head::{GUE, IPV4, IPV6, UDP},
};

use super::head::Head;
use crate::{
    Datagram, Packet, checksum, header::next_header, link::Link, packet::HeadroomExhausted,
};

/// First of the 16,384 source ports of `gue`: the dynamic ones (RFC 6335).
const SOURCE_PORTS_FIRST: u16 = 0xc000;

/// What the outer IP header is followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The packet.
    Packet,
    /// UDP.
    Udp,
    /// UDP and the GUE header.
    Gue,
}

impl Behind {
    const fn length(self) -> usize {
        match self {
            Self::Packet => 0,
            Self::Udp => UDP,
            Self::Gue => UDP + GUE,
        }
    }
}

/// Puts the outer headers in front, the first of them at `ip`; gives the offset of the inner IP header.
#[inline(always)]
pub(super) fn write<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
    (ip, outer, behind): (usize, Family, Behind),
) -> Result<usize, HeadroomExhausted> {
    let header = if matches!(outer, Family::V4) { IPV4 } else { IPV6 };
    let overhead = header + behind.length();
    let mut head = Head::of(target);
    // At most the MTU, as compared above.
    let payload = datagram.length.wrapping_add(behind.length() as u16);
    let inner = inner_number(datagram.family);
    let in_ip = if behind == Behind::Packet { inner } else { 0 };
    match outer {
        Family::V4 => v4(&mut head, ip, target, datagram.traffic_class, payload, in_ip, hash),
        Family::V6 => v6(&mut head, ip, datagram.traffic_class, payload, in_ip, hash),
    }
    let udp = ip + header;
    if behind != Behind::Packet {
        head.put(udp, Be16::new(SOURCE_PORTS_FIRST | (hash >> 16 & 0x3fff) as u16));
        head.put(udp + 4, Be16::new(payload));
    }
    if behind == Behind::Gue {
        head.put_byte(udp + UDP + 1, inner);
    }
    packet.replace_head(link.ip_offset(), head.words(), ip + overhead)?;
    Ok(ip + overhead)
}

/// Total length, DSCP and ECN (RFC 6040, normal mode), protocol, flow bits, checksum. An atomic datagram
/// needs no identification (RFC 6864).
#[inline(always)]
fn v4(
    head: &mut Head,
    ip: usize,
    target: &Target,
    traffic_class: u8,
    payload: u16,
    protocol: u8,
    hash: u64,
) {
    let total_length = Be16::new(payload.wrapping_add(IPV4 as u16));
    let flow = flow_bits(hash);
    head.put_byte(ip + 1, traffic_class);
    head.put(ip + 2, total_length);
    head.put_byte(ip + 9, protocol);
    head.put(ip + 14, flow);
    // A sum of words in memory order is that of the numbers, in memory order (RFC 1071).
    let sum = u32::from(target.outer_checksum.raw)
        + u32::from(u16::from_ne_bytes([0, traffic_class]))
        + u32::from(total_length.raw)
        + u32::from(u16::from_ne_bytes([0, protocol]))
        + u32::from(flow.raw);
    head.put(ip + 10, Be16 { raw: !checksum::fold(sum) });
}

/// Traffic class, flow label, payload length, next header, flow bits.
#[inline(always)]
fn v6(head: &mut Head, ip: usize, traffic_class: u8, payload: u16, next_header: u8, hash: u64) {
    let flow = flow_bits(hash);
    head.put(ip, Be16::new(u16::from(traffic_class) << 4));
    // The flow label spreads tunnels over equal paths (RFC 6438).
    head.put(ip + 2, flow);
    head.put(ip + 4, Be16::new(payload));
    head.put_byte(ip + 6, next_header);
    head.put(ip + 22, flow);
}

/// The bits of the flow hash that vary outer headers; the slot is taken from the other end.
#[inline(always)]
const fn flow_bits(hash: u64) -> Be16 {
    Be16::new((hash & 0xffff) as u16)
}

/// The number of an IP packet as a payload (RFC 2003, RFC 2473).
#[inline(always)]
const fn inner_number(family: Family) -> u8 {
    match family {
        Family::V4 => next_header::IPV4,
        Family::V6 => next_header::IPV6,
    }
}
