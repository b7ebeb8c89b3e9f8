//! The packet that nearly all are: untagged, IP without options or extension headers, whole, TCP or
//! UDP. Everything is at a fixed offset, so one comparison with the packet's end is enough.
//!
//! It says "not plain" to all else, and to what is wrong with a packet: `parse` finds out.

use core::mem::offset_of;

use bytemuck::{Pod, Zeroable};
use lb_common::{
    Address, Be16, Family, Mac,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Content, Datagram, Packet, Tables, Wire,
    datagram::Transport,
    header::{Ethernet, Ipv4, Ipv6, Tcp, Udp, ether_type},
    ip_packet::{Fragment, IpPacket},
};

/// Ethernet, IPv4 and what of a TCP header has no options: 54 bytes. A UDP datagram is as long, too,
/// since Ethernet pads frames to 60 bytes; a shorter frame, as between virtual interfaces, is not
/// plain.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct HeadV4 {
    pub(crate) ethernet: Ethernet,
    pub(crate) ip: Ipv4,
    pub(crate) tcp: Tcp,
}

impl Wire for HeadV4 {}

/// The same with IPv6: 74 bytes. Datagrams of less than 12 bytes are not plain.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct HeadV6 {
    pub(crate) ethernet: Ethernet,
    pub(crate) ip: Ipv6,
    pub(crate) tcp: Tcp,
}

impl Wire for HeadV6 {}

/// The IP of a packet that may be plain. Each has its own code from here on, so that its constants
/// are constants in machine code.
#[inline(always)]
pub(crate) fn family<P: Packet, T: Tables>(packet: &P, tables: &T) -> Option<Family> {
    let ethernet = packet.get::<Ethernet>(0)?;
    match ethernet.ether_type {
        _ if ethernet.is_group() => None,
        _ if !tables.takes(packet.ingress(), P::eight::<0, _>(ethernet) & Mac::WORD_MASK) => None,
        ether_type::IPV4 => Some(Family::V4),
        ether_type::IPV6 => Some(Family::V6),
        _ => None,
    }
}

/// The same of a packet that another program has found to be for this host.
#[inline(always)]
pub(crate) fn ip<P: Packet>(packet: &P) -> Option<Family> {
    match packet.get::<Ethernet>(0)?.ether_type {
        ether_type::IPV4 => Some(Family::V4),
        ether_type::IPV6 => Some(Family::V6),
        _ => None,
    }
}

/// Reads a plain packet with IPv4; `None` is any other.
#[inline(always)]
pub(crate) fn v4<P: Packet>(packet: &P) -> Option<Datagram> {
    const SOURCE: usize = offset_of!(HeadV4, ip.source);
    const DESTINATION: usize = offset_of!(HeadV4, ip.destination);
    const PORTS: usize = offset_of!(HeadV4, tcp);
    let head = packet.get::<HeadV4>(0)?;
    let source = Address { words: [P::four::<SOURCE, _>(head), 0] };
    let destination = Address { words: [P::four::<DESTINATION, _>(head), 0] };
    let ip = ip_v4(&head.ip, source, destination)?;
    datagram(packet, &ip, &head.tcp, P::four::<PORTS, _>(head))
}

/// The same with IPv6.
#[inline(always)]
pub(crate) fn v6<P: Packet>(packet: &P) -> Option<Datagram> {
    const SOURCE: usize = offset_of!(HeadV6, ip.source);
    const SOURCE_END: usize = SOURCE + 8;
    const DESTINATION: usize = offset_of!(HeadV6, ip.destination);
    const DESTINATION_END: usize = DESTINATION + 8;
    const PORTS: usize = offset_of!(HeadV6, tcp);
    let head = packet.get::<HeadV6>(0)?;
    let source = [P::eight::<SOURCE, _>(head), P::eight::<SOURCE_END, _>(head)];
    let destination = [P::eight::<DESTINATION, _>(head), P::eight::<DESTINATION_END, _>(head)];
    let ip = ip_v6(&head.ip, Address { words: source }, Address { words: destination })?;
    datagram(packet, &ip, &head.tcp, P::four::<PORTS, _>(head))
}

#[inline(always)]
fn datagram<P: Packet>(packet: &P, ip: &IpPacket, tcp: &Tcp, ports: u64) -> Option<Datagram> {
    if !packet.holds_in_first_buffer(Ethernet::LEN + usize::from(ip.length)) {
        return None;
    }
    let payload_length = usize::from(ip.length).wrapping_sub(ip.header_length);
    let tcp_flags = match ip.protocol {
        TCP if tcp.header_length() >= Tcp::LEN && tcp.header_length() <= payload_length => {
            tcp.flags
        }
        UDP => {
            // Ports have the same offset as in TCP, and the length is where the sequence number
            // starts.
            let [claimed, _] = tcp.sequence;
            let claimed = usize::from(claimed.get());
            if claimed < Udp::LEN || claimed > payload_length {
                return None;
            }
            0
        }
        _ => return None,
    };
    let [source_port, destination_port, ..]: [Be16; 4] = bytemuck::cast(ports);
    let transport = Transport { source_port, destination_port, tcp_flags, ..Transport::default() };
    Some(Datagram::new(ip, ip.protocol, transport, Content::Whole))
}

#[inline(always)]
fn ip_v4(ip: &Ipv4, source: Address, destination: Address) -> Option<IpPacket> {
    let length = ip.total_length.get();
    if ip.version_and_length != Ipv4::PLAIN || ip.is_part() || usize::from(length) < Ipv4::LEN {
        return None;
    }
    Some(IpPacket {
        family: Family::V4,
        source,
        destination,
        protocol: ip.protocol,
        traffic_class: ip.traffic_class,
        length,
        header_length: Ipv4::LEN,
        fragment: Fragment::WHOLE,
    })
}

#[inline(always)]
fn ip_v6(ip: &Ipv6, source: Address, destination: Address) -> Option<IpPacket> {
    let payload_length = ip.payload_length.get();
    if ip.version() != 6 || payload_length > u16::MAX - 40 {
        return None;
    }
    Some(IpPacket {
        family: Family::V6,
        source,
        destination,
        protocol: ip.next_header,
        traffic_class: ip.traffic_class(),
        length: payload_length.wrapping_add(40),
        header_length: Ipv6::LEN,
        fragment: Fragment::WHOLE,
    })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use lb_common::InterfaceMacs;

    use super::*;
    use crate::host::{MemoryTables, VecPacket};

    /// An untagged frame with TCP over IPv4.
    const FRAME: [u8; 60] = [
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, // Ethernet
        0x45, 0, 0, 40, 1, 2, 0x40, 0, 64, 6, 3, 4, 10, 0, 0, 1, 203, 0, 113, 10, // IPv4
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0, 0, 0, 0, 0, 0, // TCP
        0, 0, 0, 0, 0, 0, // padding
    ];

    #[test]
    fn a_plain_frame_is_read() {
        let packet = VecPacket::new(&FRAME, 1);
        let mut tables = MemoryTables::default();
        assert_eq!(family(&packet, &tables), Some(Family::V4));
        for (last, expected) in [(1, Some(Family::V4)), (2, None)] {
            let macs = InterfaceMacs::of(&[Mac::new([2, 0, 0, 0, 0, last])]);
            tables.macs.insert(1, macs);
            assert_eq!(family(&packet, &tables), expected);
        }
        let read = v4(&packet).unwrap();
        assert_eq!((read.length, read.header_length, read.protocol), (40, 20, TCP));
        assert_eq!((read.source_port.get(), read.destination_port.get()), (40_000, 80));
        assert_eq!(read.tcp_flags, 0x10);
        assert_eq!(read.source, Address::v4([10, 0, 0, 1]));
        assert_eq!(read.destination, Address::v4([203, 0, 113, 10]));
    }

    #[test]
    fn packets_with_unusual_headers_are_not_plain() {
        let changed: [(usize, u8); 11] = [
            (0, 3),     // for a group
            (12, 0x81), // a tag
            (13, 6),    // ARP
            (14, 0x46), // options
            (14, 0x55), // a version
            (17, 200),  // longer than the frame
            (17, 39),   // shorter than its headers
            (20, 0x20), // more fragments
            (21, 1),    // a later fragment
            (23, 1),    // ICMP
            (46, 0x40), // a TCP header that is too short
        ];
        for (at, byte) in changed {
            let mut frame = Vec::from(FRAME);
            frame[at] = byte;
            let packet = VecPacket::new(&frame, 1);
            let tables = MemoryTables::default();
            let plain = family(&packet, &tables) == Some(Family::V4) && v4(&packet).is_some();
            assert!(!plain, "byte {at}");
        }
        assert!(v4(&VecPacket::new(&FRAME[..53], 1)).is_none());
    }
}
