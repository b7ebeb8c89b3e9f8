//! From bytes to a datagram: IPv4 with options, IPv6 with extension headers, TCP, UDP.

use lb_common::{
    Address, Be16, DropReason, Family, ListenerKey, Sequence, VipKey,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Packet,
    family::{IpFamily, V4, V6},
    fault::{Fault, IpPacket},
    header::{Tcp, Udp, icmp_v4, icmp_v6},
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
    /// Length of its IP header, options and extension headers in bytes.
    pub header_length: u16,
    /// Source port.
    pub source_port: Be16,
    /// Destination port.
    pub destination_port: Be16,
    /// Flags of its TCP header; zero for UDP.
    pub tcp_flags: u8,
    /// Sequence and acknowledgement number of its TCP header; zero for UDP, and for plain packets, whose
    /// targets need no translation.
    pub sequence: Sequence,
    /// What it carries of the flow.
    pub content: Content,
}

/// What a packet carries of its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole packet.
    Whole,
    /// The fragment with the transport header.
    FirstFragment,
    /// A fragment without it.
    LaterFragment,
    /// An ICMP error about a packet of the flow; source, ports and protocol are those of the flow.
    IcmpError,
}

/// What a transport header says of the flow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transport {
    pub(crate) source_port: Be16,
    pub(crate) destination_port: Be16,
    pub(crate) tcp_flags: u8,
    pub(crate) sequence: Sequence,
}

impl Datagram {
    /// Nothing yet.
    pub(crate) const EMPTY: Self = Self {
        family: Family::V4,
        source: Address { words: [0; 2] },
        destination: Address { words: [0; 2] },
        protocol: 0,
        traffic_class: 0,
        length: 0,
        header_length: 0,
        source_port: Be16::new(0),
        destination_port: Be16::new(0),
        tcp_flags: 0,
        sequence: Sequence { sent: 0, received: 0 },
        content: Content::Whole,
    };

    /// From the headers of a packet of the flow.
    #[inline(always)]
    pub(crate) const fn new(
        ip: &IpPacket,
        protocol: u8,
        transport: Transport,
        content: Content,
    ) -> Self {
        Self {
            family: ip.family,
            source: ip.source,
            destination: ip.destination,
            protocol,
            traffic_class: ip.traffic_class,
            length: ip.length,
            header_length: ip.header_length as u16,
            source_port: transport.source_port,
            destination_port: transport.destination_port,
            tcp_flags: transport.tcp_flags,
            sequence: transport.sequence,
            content,
        }
    }

    /// The key of the listener that it is for, if there is one.
    #[must_use]
    #[inline(always)]
    pub const fn listener_key(&self) -> ListenerKey {
        ListenerKey::new(self.family, self.destination, self.destination_port, self.protocol)
    }

    /// Whether it opens a TCP connection.
    #[must_use]
    #[inline(always)]
    pub const fn is_syn(&self) -> bool {
        self.tcp_flags & (Tcp::SYN | Tcp::ACK) == Tcp::SYN
    }
}

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
