//! Mode `ipip`: the packet inside another IP header (RFC 2003 and RFC 2473), in any combination of
//! families. The inner packet is not changed, not even its TTL: the target's stack is its first hop.

use lb_common::{DropReason, Family, Target};

use crate::{
    Datagram, Packet,
    family::{IpFamily, Payload, V4, V6},
    link::Link,
};

/// Puts the outer header in front.
#[inline(always)]
pub(crate) fn write<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
) -> Result<(), DropReason> {
    let payload = Payload {
        protocol: match datagram.family {
            Family::V4 => V4::PROTOCOL,
            Family::V6 => V6::PROTOCOL,
        },
        traffic_class: datagram.traffic_class,
        length: datagram.length,
        hash,
    };
    match Family::try_from(target.family) {
        Ok(Family::V4) => wrap::<P, V4>(packet, link, target, &payload),
        Ok(Family::V6) => wrap::<P, V6>(packet, link, target, &payload),
        Err(_) => Err(DropReason::TargetMissing),
    }
}

#[inline(always)]
fn wrap<P: Packet, F: IpFamily>(
    packet: &mut P,
    link: &Link,
    target: &Target,
    payload: &Payload,
) -> Result<(), DropReason> {
    if usize::from(payload.length) + F::HEADER_LENGTH > usize::from(target.mtu) {
        return Err(DropReason::PacketTooBig);
    }
    packet.grow_head(F::HEADER_LENGTH).map_err(|_| DropReason::HeadroomExhausted)?;
    link.write_towards(packet, target, F::FAMILY).ok_or(DropReason::HeadroomExhausted)?;
    F::write_outer(packet, link.ip_offset(), target, payload)
        .map_err(|_| DropReason::HeadroomExhausted)
}
