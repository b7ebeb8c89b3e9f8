//! The forwarding modes: one a file, same signature.

mod gue;
mod ipip;
mod l2dsr;
pub(crate) mod mss;

use lb_common::{DropReason, Family, Target, target::Mode};

use crate::{
    Content, Datagram, Packet,
    family::{IpFamily as _, V4, V6},
    header::Tcp,
    link::Link,
    step::Sent,
    verdict::Stop,
};

/// Writes the headers that lead to `target` and says where the packet leaves.
#[inline(always)]
pub(crate) fn forward<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
) -> Result<Sent, Stop> {
    if !target.is_resolved() {
        return Err(DropReason::NextHopUnresolved.into());
    }
    let mode = Mode::try_from(target.mode).map_err(|_| DropReason::ModeUnknown)?;
    let outer = Family::try_from(target.family).map_err(|_| DropReason::TargetMissing)?;
    let (interface, mss) = (target.interface, target.mss);
    let ip_offset = match (mode, outer) {
        (Mode::Ipip, Family::V4) => ipip::write::<P, V4>(packet, link, datagram, target, hash)?,
        (Mode::Ipip, Family::V6) => ipip::write::<P, V6>(packet, link, datagram, target, hash)?,
        (Mode::Gue, Family::V4) => gue::write::<P, V4>(packet, link, datagram, target, hash)?,
        (Mode::Gue, Family::V6) => gue::write::<P, V6>(packet, link, datagram, target, hash)?,
        (Mode::L2dsr, _) => l2dsr::write(packet, link, datagram, target)?,
        (Mode::Nat | Mode::Fullnat, _) => return Err(DropReason::ModeUnknown.into()),
    };
    Ok(sent(packet, interface, datagram, ip_offset, mss))
}

/// What is to be said of a packet that leaves by `interface`, with its IP header at `offset`.
#[inline(always)]
pub(crate) fn sent<P: Packet>(
    packet: &P,
    interface: u32,
    flow: &Datagram,
    offset: usize,
    mss: u16,
) -> Sent {
    let mut sent = Sent { interface: 0, mss: 0, transport: 0 };
    if interface != packet.ingress() {
        sent.interface = interface;
    }
    let transport = offset + usize::from(flow.header_length);
    // A SYN behind 400 bytes of extension headers is not worth more room in the word.
    if mss != 0 && flow.tcp_flags & Tcp::SYN != 0 && transport <= 2 * usize::from(u8::MAX) {
        (sent.mss, sent.transport) = (mss, (transport / 2) as u8);
    }
    sent
}

/// Whether the packet fits the MTU towards the target with `overhead` bytes more.
#[inline(always)]
pub(crate) fn fits(datagram: &Datagram, target: &Target, overhead: usize) -> Result<(), Stop> {
    let room = usize::from(target.mtu).saturating_sub(overhead);
    if usize::from(datagram.length) <= room { Ok(()) } else { Err(too_big(datagram, room as u16)) }
}

/// The end of a packet that is longer than `room`. Nobody is told about a message that itself tells
/// of an error, or a part without ports.
#[inline(always)]
pub(crate) const fn too_big(datagram: &Datagram, room: u16) -> Stop {
    match datagram.content {
        Content::Whole | Content::FirstFragment => Stop::TooBig(room),
        Content::LaterFragment | Content::IcmpError => Stop::Drop(DropReason::PacketTooBig),
    }
}

/// The number of an IP packet as a payload.
#[inline(always)]
const fn payload_number(family: Family) -> u8 {
    match family {
        Family::V4 => V4::PROTOCOL,
        Family::V6 => V6::PROTOCOL,
    }
}
