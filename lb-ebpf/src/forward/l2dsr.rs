//! Mode `l2dsr`: only the link layer changes; the target is on the same link and has the VIP.

use lb_common::Target;

use crate::{Datagram, Packet, link::Link, verdict::Stop};

/// Addresses the frame to the target; gives the offset of the IP header.
#[inline(always)]
pub(super) fn write<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
) -> Result<usize, Stop> {
    super::fits(datagram, target, 0)?;
    Ok(link.towards(packet, target, datagram.family, 0)?)
}
