//! From bytes to a datagram: IPv4 with options, IPv6 with extension headers, TCP, UDP.

use lb_common::{
    DropReason, Family, VipKey,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Packet,
    datagram::{Content, Datagram, Transport},
    family::{IpFamily, V4, V6},
    fault::Fault,
    header::{Tcp, Udp, icmp_v4, icmp_v6},
    ip_packet::IpPacket,
    link::Link,
};

/// Reads the IP and transport headers behind `link`.
#[inline(always)]
pub(crate) fn datagram<P: Packet>(packet: &P, link: &Link) -> Result<Datagram, Fault> {
    let ip = ip(packet, link)?;
    if ip.fragment.is_part() {
        return Err(Fault::EXCEPTION);
    }
    let transport = transport(packet, link, &ip)?;
    Ok(Datagram::new(&ip, ip.protocol, transport, Content::Whole))
}

/// Reads the IP header behind `link`.
#[inline(always)]
pub(crate) fn ip<P: Packet>(packet: &P, link: &Link) -> Result<IpPacket, Fault> {
    match link.family {
        Family::V4 => V4::parse(packet, link.ip_offset()),
        Family::V6 => V6::parse(packet, link.ip_offset()),
    }
}

/// Reads the transport header behind `ip`.
#[inline(always)]
pub(crate) fn transport<P: Packet>(
    packet: &P,
    link: &Link,
    ip: &IpPacket,
) -> Result<Transport, Fault> {
    let malformed = Fault::malformed(
        VipKey::new(ip.family, ip.destination),
        DropReason::TransportHeaderMalformed,
    );
    let offset = link.ip_offset() + ip.header_length;
    // Both operands are bounded by the parsers: a header of at most 14,320 bytes fits the packet.
    let length = usize::from(ip.length).wrapping_sub(ip.header_length);
    match ip.protocol {
        TCP => tcp(packet, offset, length).ok_or(malformed),
        UDP => udp(packet, offset, length, ip.fragment.is_part()).ok_or(malformed),
        icmp_v4::PROTOCOL | icmp_v6::PROTOCOL => Err(Fault::EXCEPTION),
        _ => Err(Fault::NOT_OURS),
    }
}

#[inline(always)]
fn tcp<P: Packet>(packet: &P, offset: usize, length: usize) -> Option<Transport> {
    let tcp = packet.get::<Tcp>(offset)?;
    let sound = tcp.header_length() >= size_of::<Tcp>() && tcp.header_length() <= length;
    sound.then_some(Transport {
        source_port: tcp.source_port,
        destination_port: tcp.destination_port,
        tcp_flags: tcp.flags,
        sequence: tcp.place(),
    })
}

#[inline(always)]
fn udp<P: Packet>(packet: &P, offset: usize, length: usize, part: bool) -> Option<Transport> {
    let udp = packet.get::<Udp>(offset)?;
    let claimed = usize::from(udp.length.get());
    let sound =
        claimed >= size_of::<Udp>() && length >= size_of::<Udp>() && (part || claimed <= length);
    sound.then_some(Transport {
        source_port: udp.source_port,
        destination_port: udp.destination_port,
        ..Transport::default()
    })
}
