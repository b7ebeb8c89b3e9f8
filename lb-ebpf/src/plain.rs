//! The packet that nearly all are: untagged, IP without options or extension headers, whole, TCP or
//! UDP. Everything lies at a fixed place, so one comparison with the packet's end is enough.
//!
//! It says "not plain" to all else, and to what is wrong with a packet: `parse` finds out.

use bytemuck::{Pod, Zeroable};
use lb_common::{
    Address, Family,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Content, Datagram, Packet, Wire,
    fault::{Fragment, IpPacket},
    header::{Ethernet, Ipv4, Ipv6, Tcp, Udp, ether_type},
    parse::Transport,
};

/// Ethernet, IPv4 and what of a TCP header has no options: 54 bytes. A UDP datagram is as long, too,
/// since Ethernet pads frames to 60 bytes; a shorter frame, as between virtual interfaces, is not
/// plain.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct HeadV4 {
    ethernet: Ethernet,
    ip: Ipv4,
    tcp: Tcp,
}

impl Wire for HeadV4 {}

/// The same with IPv6: 74 bytes. Datagrams of less than 12 bytes are not plain.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct HeadV6 {
    ethernet: Ethernet,
    ip: Ipv6,
    tcp: Tcp,
}

impl Wire for HeadV6 {}

/// Reads a plain packet; `None` is any other.
#[inline(always)]
pub(crate) fn datagram<P: Packet>(packet: &P) -> Option<Datagram> {
    let head = packet.get::<HeadV4>(0)?;
    if head.ethernet.is_group() {
        return None;
    }
    let (ip, tcp) = match head.ethernet.ether_type {
        ether_type::IPV4 => (ip_v4(&head.ip)?, &head.tcp),
        ether_type::IPV6 => {
            let head = packet.get::<HeadV6>(0)?;
            (ip_v6(&head.ip)?, &head.tcp)
        }
        _ => return None,
    };
    if !packet.holds_in_first_buffer(Ethernet::LEN + usize::from(ip.length)) {
        return None;
    }
    let payload_length = usize::from(ip.length).wrapping_sub(ip.header_length);
    let tcp_flags = match ip.protocol {
        TCP if tcp.header_length() >= Tcp::LEN && tcp.header_length() <= payload_length => {
            tcp.flags
        }
        UDP => {
            // Ports lie where those of TCP do, and the length where the sequence number starts.
            let [claimed, _] = tcp.sequence;
            let claimed = usize::from(claimed.get());
            if claimed < Udp::LEN || claimed > payload_length {
                return None;
            }
            0
        }
        _ => return None,
    };
    let (source_port, destination_port) = (tcp.source_port, tcp.destination_port);
    let transport = Transport { source_port, destination_port, tcp_flags };
    Some(Datagram::new(&ip, ip.protocol, transport, Content::Whole))
}

#[inline(always)]
fn ip_v4(ip: &Ipv4) -> Option<IpPacket> {
    let length = ip.total_length.get();
    let plain =
        ip.version_and_length == Ipv4::PLAIN && !ip.is_part() && usize::from(length) >= Ipv4::LEN;
    plain.then_some(IpPacket {
        family: Family::V4,
        source: Address::from_v4_words(ip.source),
        destination: Address::from_v4_words(ip.destination),
        protocol: ip.protocol,
        traffic_class: ip.traffic_class,
        length,
        header_length: Ipv4::LEN,
        fragment: Fragment::WHOLE,
    })
}

#[inline(always)]
fn ip_v6(ip: &Ipv6) -> Option<IpPacket> {
    let payload_length = ip.payload_length.get();
    let plain = ip.version() == 6 && payload_length <= u16::MAX - 40;
    plain.then_some(IpPacket {
        family: Family::V6,
        source: Address::from_v6_words(ip.source),
        destination: Address::from_v6_words(ip.destination),
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

    use super::*;
    use crate::host::VecPacket;

    /// An untagged frame with TCP over IPv4.
    const FRAME: [u8; 60] = [
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, // Ethernet
        0x45, 0, 0, 40, 1, 2, 0x40, 0, 64, 6, 3, 4, 10, 0, 0, 1, 203, 0, 113, 10, // IPv4
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0, 0, 0, 0, 0, 0, // TCP
        0, 0, 0, 0, 0, 0, // padding
    ];

    #[test]
    fn a_plain_frame_is_read() {
        let read = datagram(&VecPacket::new(&FRAME, 1)).unwrap();
        assert_eq!((read.length, read.header_length, read.protocol), (40, 20, TCP));
        assert_eq!((read.source_port.get(), read.destination_port.get()), (40_000, 80));
        assert_eq!(read.tcp_flags, 0x10);
        assert_eq!(read.source, Address::v4([10, 0, 0, 1]));
        assert_eq!(read.destination, Address::v4([203, 0, 113, 10]));
    }

    #[test]
    fn what_differs_is_not_plain() {
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
            assert!(datagram(&VecPacket::new(&frame, 1)).is_none(), "byte {at}");
        }
        assert!(datagram(&VecPacket::new(&FRAME[..53], 1)).is_none());
    }
}
