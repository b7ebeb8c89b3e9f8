//! Mode `l2dsr`: only the link layer changes; the target is on the same link and has the VIP.

use lb_common::Target;

use super::head::Head;
use crate::{Packet, link::Link, packet::HeadroomExhausted};

/// Addresses the frame to the target, so that its IP header is at `ip`; gives that offset.
#[inline(always)]
pub(super) fn write<P: Packet>(
    packet: &mut P,
    link: &Link,
    target: &Target,
    ip: usize,
) -> Result<usize, HeadroomExhausted> {
    let mut head = Head::of(target);
    head.put(ip - 2, link.ether_type());
    packet.replace_head(link.ip_offset(), head.words(), ip)?;
    Ok(ip)
}
