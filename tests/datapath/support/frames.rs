//! Frames, built with etherparse; extension headers by hand from RFC 8200.

use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6Header, SingleVlanHeader, TcpHeader,
    UdpHeader, VlanId, VlanPcp,
};
use lb_common::Family;

pub(crate) const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const BALANCER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub(crate) const TARGET_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];

pub(crate) const CLIENT_V4: [u8; 4] = [10, 1, 1, 2];
pub(crate) const CLIENT_V6: [u8; 16] = [0xfd, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
pub(crate) const VIP_V4: [u8; 4] = [203, 0, 113, 10];
pub(crate) const VIP_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// An Ethernet frame with an IP packet in it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// EtherType and contents of each VLAN tag, the outer one first.
    pub(crate) tags: Vec<(u16, u16)>,
    pub(crate) family: Family,
    pub(crate) ip: Vec<u8>,
    /// Bytes behind the IP packet.
    pub(crate) padding: usize,
}

fn ether_type(family: Family) -> u16 {
    match family {
        Family::V4 => 0x0800,
        Family::V6 => 0x86dd,
    }
}

impl Frame {
    pub(crate) fn new(family: Family, ip: Vec<u8>) -> Self {
        Self { tags: Vec::new(), family, ip, padding: 0 }
    }

    /// The frame as clients send it to the balancer.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.between(CLIENT_MAC, BALANCER_MAC)
    }

    /// The frame as it goes to a target, with the tag of its next hop.
    pub(crate) fn towards(&self, vlan: Option<u16>) -> Vec<u8> {
        let tags = vlan.map(|control| (0x8100, control)).into_iter().collect();
        Self { tags, ..self.clone() }.between(BALANCER_MAC, TARGET_MAC)
    }

    /// The frame between two MACs.
    pub(crate) fn between(&self, source: [u8; 6], destination: [u8; 6]) -> Vec<u8> {
        let mut next: Vec<u16> = self.tags.iter().map(|(tpid, _)| *tpid).collect();
        next.push(ether_type(self.family));
        let mut bytes = Ethernet2Header { source, destination, ether_type: EtherType(next[0]) }
            .to_bytes()
            .to_vec();
        for ((_, number), next) in self.tags.iter().zip(&next[1..]) {
            let tag = SingleVlanHeader {
                pcp: VlanPcp::try_new((number >> 13) as u8).unwrap(),
                drop_eligible_indicator: number >> 12 & 1 != 0,
                vlan_id: VlanId::try_new(number & 0xfff).unwrap(),
                ether_type: EtherType(*next),
            };
            bytes.extend(tag.to_bytes());
        }
        bytes.extend(&self.ip);
        bytes.resize(bytes.len() + self.padding, 0xee);
        bytes
    }
}

/// What an IP packet is made of.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) family: Family,
    pub(crate) protocol: u8,
    pub(crate) source_port: u16,
    pub(crate) port: u16,
    /// DSCP and ECN.
    pub(crate) class: u8,
    /// IPv4 options; a multiple of four bytes.
    pub(crate) options: Vec<u8>,
    /// IPv6 extension headers: number and whole length of each.
    pub(crate) extensions: Vec<(u8, usize)>,
    pub(crate) payload: usize,
    /// Fragment offset in units of 8 bytes and "more".
    pub(crate) fragment: Option<(u16, bool)>,
    /// What its fragments have in common.
    pub(crate) identification: u32,
    /// Whether it opens a connection.
    pub(crate) syn: bool,
    /// Where it comes from and goes to, TTL or hop limit.
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
    /// Whether UDP has a checksum.
    pub(crate) udp_checksum: bool,
    /// TCP options, a multiple of four bytes.
    pub(crate) tcp_options: Vec<u8>,
}

impl Packet {
    pub(crate) fn new(family: Family, protocol: u8, port: u16) -> Self {
        Self {
            family,
            protocol,
            source_port: 40_000,
            port,
            class: 0,
            options: Vec::new(),
            extensions: Vec::new(),
            payload: 11,
            fragment: None,
            identification: 0x1234,
            syn: true,
            source: match family {
                Family::V4 => CLIENT_V4.into(),
                Family::V6 => CLIENT_V6.into(),
            },
            destination: match family {
                Family::V4 => VIP_V4.into(),
                Family::V6 => VIP_V6.into(),
            },
            ttl: 61,
            udp_checksum: false,
            tcp_options: Vec::new(),
        }
    }

    /// A segment whose last option offers an MSS, at an odd place.
    pub(crate) fn with_tcp_options(&self, syn: bool, mss: u16) -> Self {
        let [high, low] = mss.to_be_bytes();
        // No operation, window scale, timestamps' kind with an odd length, MSS, end.
        let options = [&[1, 3, 3, 7, 250, 5, 1, 1, 1][..], &[2, 4, high, low], &[0, 0, 0]].concat();
        Self { syn, tcp_options: options, ..self.clone() }
    }

    /// A frame with it.
    pub(crate) fn frame(&self) -> Frame {
        Frame::new(self.family, self.bytes())
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let transport = self.transport();
        match self.family {
            Family::V4 => self.v4(&transport),
            Family::V6 => self.v6(&transport),
        }
    }

    fn transport(&self) -> Vec<u8> {
        let payload: Vec<u8> = (0..=250).cycle().take(self.payload).collect();
        let mut bytes = match self.protocol {
            TCP => {
                let mut tcp = TcpHeader::new(self.source_port, self.port, 7, 1000);
                (tcp.syn, tcp.ack) = (self.syn, !self.syn);
                tcp.set_options_raw(&self.tcp_options).unwrap();
                tcp.checksum = match (self.source, self.destination) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        tcp.calc_checksum_ipv4_raw(from.octets(), to.octets(), &payload)
                    }
                    (IpAddr::V6(from), IpAddr::V6(to)) => {
                        tcp.calc_checksum_ipv6_raw(from.octets(), to.octets(), &payload)
                    }
                    _ => panic!("two families in one packet"),
                }
                .unwrap();
                tcp.to_bytes().to_vec()
            }
            _ => self.udp(&payload).to_bytes().to_vec(),
        };
        bytes.extend(payload);
        bytes
    }

    fn udp(&self, payload: &[u8]) -> UdpHeader {
        let mut udp = UdpHeader {
            source_port: self.source_port,
            destination_port: self.port,
            length: u16::try_from(8 + payload.len()).unwrap(),
            checksum: 0,
        };
        if self.udp_checksum {
            udp.checksum = match (self.source, self.destination) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    udp.calc_checksum_ipv4_raw(from.octets(), to.octets(), payload)
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    udp.calc_checksum_ipv6_raw(from.octets(), to.octets(), payload)
                }
                _ => panic!("two families in one packet"),
            }
            .unwrap();
        }
        udp
    }

    fn v4(&self, transport: &[u8]) -> Vec<u8> {
        let length = u16::try_from(transport.len()).unwrap();
        let (IpAddr::V4(from), IpAddr::V4(to)) = (self.source, self.destination) else {
            panic!("not IPv4");
        };
        let protocol = IpNumber(self.protocol);
        let mut ip =
            Ipv4Header::new(length, self.ttl, protocol, from.octets(), to.octets()).unwrap();
        if !self.options.is_empty() {
            ip.options = self.options.as_slice().try_into().unwrap();
            ip.total_len += u16::try_from(self.options.len()).unwrap();
        }
        ip.dscp = (self.class >> 2).try_into().unwrap();
        ip.ecn = (self.class & 3).try_into().unwrap();
        if let Some((offset, more)) = self.fragment {
            ip.identification = u16::try_from(self.identification).unwrap();
            ip.dont_fragment = false;
            ip.fragment_offset = offset.try_into().unwrap();
            ip.more_fragments = more;
        }
        let mut bytes = Vec::new();
        ip.write(&mut bytes).unwrap();
        bytes.extend(transport);
        bytes
    }

    fn v6(&self, transport: &[u8]) -> Vec<u8> {
        let mut chain = Vec::new();
        for (index, (number, length)) in self.extensions.iter().enumerate() {
            let next = self.extensions.get(index + 1).map_or(self.protocol, |(next, _)| *next);
            let mut header = vec![0; *length];
            header[0] = next;
            header[1] = match number {
                44 => 0,
                51 => u8::try_from(length / 4 - 2).unwrap(),
                _ => u8::try_from(length / 8 - 1).unwrap(),
            };
            if let (44, Some((offset, more))) = (number, self.fragment) {
                header[2..4].copy_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
                header[4..8].copy_from_slice(&self.identification.to_be_bytes());
            }
            chain.extend(header);
        }
        let (IpAddr::V6(from), IpAddr::V6(to)) = (self.source, self.destination) else {
            panic!("not IPv6");
        };
        let first = self.extensions.first().map_or(self.protocol, |(number, _)| *number);
        let ip = Ipv6Header {
            traffic_class: self.class,
            payload_length: u16::try_from(chain.len() + transport.len()).unwrap(),
            next_header: IpNumber(first),
            hop_limit: self.ttl,
            source: from.octets(),
            destination: to.octets(),
            ..Ipv6Header::default()
        };
        let mut bytes = ip.to_bytes().to_vec();
        bytes.extend(chain);
        bytes.extend(transport);
        bytes
    }
}

/// The frame, read by etherparse, for people.
pub(crate) fn shown(bytes: &[u8]) -> String {
    match etherparse::PacketHeaders::from_ethernet_slice(bytes) {
        Ok(headers) => format!("{} bytes: {headers:#?}", bytes.len()),
        Err(error) => format!("{} bytes, etherparse: {error}: {bytes:02x?}", bytes.len()),
    }
}
