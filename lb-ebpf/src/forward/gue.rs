//! Mode `gue`: the packet in UDP (Generic UDP Encapsulation, draft-ietf-intarea-gue-09), as Linux
//! FOU understands it: variant 1, IP directly behind the UDP header, or variant 0, with a header of
//! four bytes between. In any combination of families.
//!
//! The source port comes from the flow hash, so that routers and network cards spread flows. The
//! UDP checksum is zero: RFC 768 allows it for IPv4, RFC 6935 for tunnels over IPv6; what is inside
//! has checksums of its own.

use lb_common::{Be16, Target};

use crate::{
    Datagram, Packet, Wire as _,
    family::{IpFamily, Payload},
    header::{Gue, Udp},
    link::Link,
    packet::HeadroomExhausted,
    verdict::Stop,
};

/// IP protocol number of UDP.
const UDP: u8 = lb_common::listener::protocol::UDP;

/// First of the 16,384 source ports: the dynamic ones (RFC 6335).
const SOURCE_PORTS_FIRST: u16 = 0xc000;

/// Puts the outer headers in front; gives the offset of the inner IP header.
#[inline(always)]
pub(super) fn write<P: Packet, F: IpFamily>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
) -> Result<usize, Stop> {
    if target.gue_variant == 0 {
        let gue = Gue::new(super::payload_number(datagram.family));
        return wrap::<P, F, { Gue::LEN }>(packet, link, datagram, target, hash, &gue);
    }
    wrap::<P, F, 0>(packet, link, datagram, target, hash, &Gue::new(0))
}

/// `SHIM` is the length of what stands between UDP and the packet: that of `gue`, or zero.
#[inline(always)]
fn wrap<P: Packet, F: IpFamily, const SHIM: usize>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
    gue: &Gue,
) -> Result<usize, Stop> {
    let overhead = F::HEADER_LENGTH + Udp::LEN + SHIM;
    super::fits(datagram, target, overhead)?;
    // At most the MTU, as compared above.
    let length = datagram.length.wrapping_add(12 - if SHIM > 0 { 0 } else { 4 });
    let payload = Payload { protocol: UDP, traffic_class: datagram.traffic_class, length, hash };
    let offset = link.towards(packet, target, F::FAMILY, overhead)?;
    F::write_outer(packet, offset, target, &payload)?;
    let udp = offset + F::HEADER_LENGTH;
    *packet.get_mut::<Udp>(udp).ok_or(HeadroomExhausted)? = Udp {
        source_port: Be16::new(SOURCE_PORTS_FIRST | (hash >> 16 & 0x3fff) as u16),
        destination_port: target.tunnel_port,
        length: Be16::new(length),
        checksum: Be16::new(0),
    };
    if SHIM > 0 {
        *packet.get_mut::<Gue>(udp + Udp::LEN).ok_or(HeadroomExhausted)? = *gue;
    }
    Ok(offset + overhead)
}
