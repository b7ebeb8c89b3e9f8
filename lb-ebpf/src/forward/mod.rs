//! The forwarding modes without translation.

mod head;
mod l2dsr;
pub(crate) mod mss;
mod tunnel;

use lb_common::{
    DropReason, Family, Target,
    head::{ETHERNET, VLAN_TAG},
    target::Shape,
};
use tunnel::Behind;

use crate::{
    Content, Datagram, Packet, header::Tcp, link::Link, packet::HeadroomExhausted, step::Sent,
    verdict::Stop,
};

/// Writes the headers of this shape that lead to `target` and says where the packet leaves. That `target`
/// is `UNTAGGED` may be known.
#[inline(always)]
pub(crate) fn forward<P: Packet, const UNTAGGED: bool>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    shape: Shape,
    hash: u64,
) -> Result<Sent, HeadroomExhausted> {
    let sent = by(packet, target.interface);
    let ip_offset = if UNTAGGED || !target.is_tagged() {
        write(packet, link, datagram, target, shape, hash, ETHERNET)?
    } else {
        write(packet, link, datagram, target, shape, hash, ETHERNET + VLAN_TAG)?
    };
    Ok(clamped(sent, datagram, ip_offset, target.mss))
}

/// Writes the head of a target whose link layer is `ip` bytes long. Gives the offset of the packet's IP
/// header.
#[inline(always)]
fn write<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    shape: Shape,
    hash: u64,
    ip: usize,
) -> Result<usize, HeadroomExhausted> {
    let tunnel = |packet: &mut P, outer, behind| {
        tunnel::write(packet, link, datagram, target, hash, (ip, outer, behind))
    };
    match shape {
        Shape::Link => l2dsr::write(packet, link, target, ip),
        Shape::Ipv4 => tunnel(packet, Family::V4, Behind::Packet),
        Shape::Ipv6 => tunnel(packet, Family::V6, Behind::Packet),
        Shape::GueV4 => tunnel(packet, Family::V4, Behind::Udp),
        Shape::GueV6 => tunnel(packet, Family::V6, Behind::Udp),
        Shape::GueHeaderV4 => tunnel(packet, Family::V4, Behind::Gue),
        Shape::GueHeaderV6 => tunnel(packet, Family::V6, Behind::Gue),
    }
}

/// The verdict of a packet that leaves by `interface`.
#[inline(always)]
fn by<P: Packet>(packet: &P, interface: u32) -> Sent {
    Sent::by(if interface == packet.ingress() { 0 } else { interface })
}

/// The same, when its IP header is at `offset`, and a SYN may offer an MSS of `mss` at most.
#[inline(always)]
fn clamped(sent: Sent, flow: &Datagram, offset: usize, mss: u16) -> Sent {
    let transport = offset + usize::from(flow.header_length);
    // A SYN after 400 bytes of extension headers is not worth more bits of the word.
    if mss != 0 && flow.tcp_flags & Tcp::SYN != 0 && transport <= 2 * usize::from(u8::MAX) {
        sent.clamped(mss, (transport / 2) as u8)
    } else {
        sent
    }
}

/// The verdict of a packet that leaves by `interface`, with its IP header at `offset`.
#[inline(always)]
pub(crate) fn sent<P: Packet>(
    packet: &P,
    interface: u32,
    flow: &Datagram,
    offset: usize,
    mss: u16,
) -> Sent {
    clamped(by(packet, interface), flow, offset, mss)
}

/// Whether the packet fits the path MTU of the target.
#[inline(always)]
pub(crate) const fn fits(datagram: &Datagram, target: &Target) -> Result<(), Stop> {
    if datagram.length <= target.room { Ok(()) } else { Err(too_big(datagram, target.room)) }
}

/// The end of a packet that is longer than `room`. No ICMP error is sent for an ICMP error, or for
/// a fragment without ports.
#[inline(always)]
pub(crate) const fn too_big(datagram: &Datagram, room: u16) -> Stop {
    match datagram.content {
        Content::Whole | Content::FirstFragment => Stop::TooBig(room),
        Content::LaterFragment | Content::IcmpError => Stop::Drop(DropReason::PacketTooBig),
    }
}
