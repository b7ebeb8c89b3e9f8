//! From bytes to a datagram: IPv4 with options, IPv6 with extension headers, TCP, UDP.

use lb_common::{
    Address, Be16, DropReason, Family, ListenerKey, VipKey,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Packet,
    family::{IpFamily, V4, V6},
    fault::Fault,
    header::{Tcp, Udp},
    link::Link,
};

/// One IP packet with TCP or UDP in it; copied out of the frame, so that its head may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Which IP.
    pub family: Family,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// IP protocol number: TCP or UDP.
    pub protocol: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Length of the IP packet in bytes, its header included.
    pub length: u16,
    /// Source port.
    pub source_port: Be16,
    /// Destination port.
    pub destination_port: Be16,
}

impl Datagram {
    /// The key of the listener that it is for, if there is one.
    #[must_use]
    #[inline(always)]
    pub const fn listener_key(&self) -> ListenerKey {
        ListenerKey::new(self.family, self.destination, self.destination_port, self.protocol)
    }
}

/// Reads the IP and transport headers behind `link`.
#[inline(always)]
pub(crate) fn datagram<P: Packet>(packet: &P, link: &Link) -> Result<Datagram, Fault> {
    let offset = link.ip_offset();
    let ip = match link.family {
        Family::V4 => V4::parse(packet, offset)?,
        Family::V6 => V6::parse(packet, offset)?,
    };
    let malformed = Fault::malformed(
        VipKey::new(ip.family, ip.destination),
        DropReason::TransportHeaderMalformed,
    );
    // Both operands are bounded by the parsers: a header of at most 14,320 bytes fits the packet.
    let payload_length = usize::from(ip.length).wrapping_sub(ip.header_length);
    let (source_port, destination_port) = match ip.protocol {
        TCP => tcp_ports(packet, offset + ip.header_length, payload_length).ok_or(malformed)?,
        UDP => udp_ports(packet, offset + ip.header_length, payload_length).ok_or(malformed)?,
        _ => return Err(Fault::NOT_OURS),
    };
    Ok(Datagram {
        family: ip.family,
        source: ip.source,
        destination: ip.destination,
        protocol: ip.protocol,
        traffic_class: ip.traffic_class,
        length: ip.length,
        source_port,
        destination_port,
    })
}

type Ports = (Be16, Be16);

#[inline(always)]
fn tcp_ports<P: Packet>(packet: &P, offset: usize, length: usize) -> Option<Ports> {
    let tcp = packet.get::<Tcp>(offset)?;
    let sound = tcp.header_length() >= size_of::<Tcp>() && tcp.header_length() <= length;
    sound.then_some((tcp.source_port, tcp.destination_port))
}

#[inline(always)]
fn udp_ports<P: Packet>(packet: &P, offset: usize, length: usize) -> Option<Ports> {
    let udp = packet.get::<Udp>(offset)?;
    let claimed = usize::from(udp.length.get());
    let sound = claimed >= size_of::<Udp>() && claimed <= length;
    sound.then_some((udp.source_port, udp.destination_port))
}
