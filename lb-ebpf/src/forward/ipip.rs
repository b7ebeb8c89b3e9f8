//! Mode `ipip`: the packet inside another IP header (RFC 2003 and RFC 2473), in any combination of
//! families. The inner packet is not changed, not even its TTL: the target's stack is its first hop.

use lb_common::Target;

use crate::{
    Datagram, Packet,
    family::{IpFamily, Payload},
    link::Link,
    verdict::Stop,
};

/// Puts the outer header in front; gives the offset of the inner IP header.
#[inline(always)]
pub(super) fn write<P: Packet, F: IpFamily>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
) -> Result<usize, Stop> {
    let overhead = F::HEADER_LENGTH;
    super::fits(datagram, target, overhead)?;
    let payload = Payload {
        protocol: super::payload_number(datagram.family),
        traffic_class: datagram.traffic_class,
        length: datagram.length,
        hash,
    };
    let offset = link.towards(packet, target, F::FAMILY, overhead)?;
    F::write_outer(packet, offset, target, &payload)?;
    Ok(offset + overhead)
}
