//! One packet of TCP or UDP, as its headers describe it.

use lb_common::{Address, Be16, Family, ListenerKey, Sequence};

use crate::{header::Tcp, ip_packet::IpPacket};

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
