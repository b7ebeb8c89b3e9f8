//! Mode `l2dsr`: only the link layer changes; the target is on the same link and has the VIP.

use lb_common::Target;

use super::{fits, head::Head};
use crate::{Datagram, Packet, link::Link, packet::HeadroomExhausted, verdict::Stop};

/// Addresses the frame to the target, so that its IP header is at `ip`; gives that offset.
#[inline(always)]
pub(super) fn write<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    ip: usize,
) -> Result<usize, Stop> {
    fits(datagram, target, 0)?;
    link.make_room(packet, ip)?;
    let mut head = Head::of(target);
    head.put(ip - 2, link.ether_type());
    packet.put(head.words(), ip).ok_or(HeadroomExhausted)?;
    Ok(ip)
}
