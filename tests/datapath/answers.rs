//! Packets that xelb itself answers: pings and "too big", with destinations and checksums.

use etherparse::{
    IcmpEchoHeader, Icmpv4Type, Icmpv6Type, Ipv4Header, icmpv4::DestUnreachableHeader,
};
use lb_common::{DropReason, Family, Mode};
use lb_ebpf::Verdict;

use crate::{
    icmp::{message_v4, message_v6, passes, ping},
    support::{
        frames::{
            BALANCER_MAC, CLIENT_MAC, CLIENT_V4, CLIENT_V6, Frame, Packet, TCP, VIP_V4, VIP_V6,
            shown,
        },
        world::{PORT_TCP, Sides as _, TARGET, World, target},
    },
};

/// Sources that must get no answer.
fn nobody(family: Family) -> Vec<Vec<u8>> {
    match family {
        Family::V4 => [
            [0, 0, 0, 0],
            [0, 1, 2, 3],
            [127, 0, 0, 1],
            [224, 0, 0, 1],
            [240, 0, 0, 1],
            [255; 4],
            VIP_V4,
        ]
        .map(Vec::from)
        .to_vec(),
        Family::V6 => {
            let mut loopback = [0; 16];
            loopback[15] = 1;
            let mut group = [0; 16];
            (group[0], group[1], group[15]) = (0xff, 2, 1);
            [[0; 16], loopback, group, VIP_V6].map(Vec::from).to_vec()
        }
    }
}

/// The same IP packet from another source, with updated checksums in IPv4.
fn from_source(ip: &[u8], source: &[u8]) -> Vec<u8> {
    let mut ip = ip.to_vec();
    let start = if source.len() == 4 { 12 } else { 8 };
    ip[start..start + source.len()].copy_from_slice(source);
    ip
}

/// The message about `packet`, which is too big for `room`, as its sender gets it.
pub(crate) fn too_big_sent(family: Family, room: u16, packet: &[u8]) -> Frame {
    match family {
        Family::V4 => {
            let next_hop_mtu = room;
            let header = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu };
            let kind = Icmpv4Type::DestinationUnreachable(header);
            message_v4(VIP_V4, CLIENT_V4, kind, &packet[..packet.len().min(548)])
        }
        Family::V6 => {
            let kind = Icmpv6Type::PacketTooBig { mtu: room.into() };
            message_v6(VIP_V6, CLIENT_V6, kind, &packet[..packet.len().min(1232)])
        }
    }
}

crate::support::world::in_sandbox! {
    fn the_answer_to_a_ping_of_nothing_but_zeros_has_a_sum_of_ones() {
        let mut world = World::new();
        for (id, seq) in [(0, 0), (0xffff, 0), (0, 0xffff), (0x8000, 0x7fff)] {
            for body in [&[][..], &[0; 9], &[0; 56]] {
                let header = IcmpEchoHeader { id, seq };
                let request = message_v4(CLIENT_V4, VIP_V4, Icmpv4Type::EchoRequest(header), body);
                let reply = message_v4(VIP_V4, CLIENT_V4, Icmpv4Type::EchoReply(header), body)
                    .between(BALANCER_MAC, CLIENT_MAC);
                let outcome = world.run("zeros", &request.bytes());
                assert!(outcome.frame == reply, "{}\n{}", shown(&reply), shown(&outcome.frame));
                assert_eq!(outcome.frame[36..38] == [0xff; 2], (id, seq) == (0, 0));
            }
        }
    }

    fn answers_to_pings_follow_no_route_of_the_sender() {
        let mut world = World::new();
        // Loose source route, record route, no operation.
        for options in [&[131, 7, 8, 198, 51, 100, 1, 0][..], &[7, 39, 4], &[1, 1, 1, 1]] {
            let mut options = options.to_vec();
            options.resize(options.len().next_multiple_of(4).max(40), 0);
            let (request, reply) = ping(Family::V4);
            let (header, rest) = request.ip.split_at(20);
            let mut ip = Ipv4Header::from_slice(header).unwrap().0;
            ip.options = options.as_slice().try_into().unwrap();
            ip.total_len += u16::try_from(options.len()).unwrap();
            ip.header_checksum = ip.calc_header_checksum();
            let request = Frame::new(Family::V4, [&ip.to_bytes()[..], rest].concat());
            let outcome = world.run("options", &request.bytes());
            let expected = reply.between(BALANCER_MAC, CLIENT_MAC);
            assert!(outcome.frame == expected, "{}", shown(&outcome.frame));
        }
        // Number, length, and in a routing header how many hosts are left.
        for (number, length, left) in [(43, 24, 0), (60, 8, 0), (44, 8, 0), (43, 24, 1)] {
            let (request, _) = ping(Family::V6);
            let mut ip = request.ip.clone();
            let mut header = vec![0; length];
            (header[0], header[1], header[3]) = (58, u8::try_from(length / 8 - 1).unwrap(), left);
            (ip[6], ip[5]) = (number, ip[5] + u8::try_from(length).unwrap());
            ip.splice(40..40, header);
            let request = Frame { ip, ..request };
            passes(&mut world, "extension", &request.bytes());
        }
    }

    fn nobody_but_one_host_is_answered() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let room = 1480;
            for source in nobody(family) {
                let (request, _) = ping(family);
                let request = Frame { ip: from_source(&request.ip, &source), ..request }.bytes();
                let outcome = world.run("ping", &request);
                assert_eq!(outcome.verdict, Verdict::Drop(DropReason::SourceInvalid), "{source:?}");
                assert_eq!(outcome.counted, [("source_invalid".to_owned(), 1)].into());
                assert!(outcome.frame == request);
                let packet = Packet { payload: room, ..Packet::new(family, TCP, PORT_TCP) };
                let frame = packet.frame();
                let frame = Frame { ip: from_source(&frame.ip, &source), ..frame }.bytes();
                let outcome = world.run("too big", &frame);
                assert_eq!(outcome.verdict, Verdict::Drop(DropReason::PacketTooBig), "{source:?}");
                assert_eq!(outcome.counted, [("packet_too_big".to_owned(), 1)].into());
            }
        }
    }

    fn senders_are_told_about_packets_of_any_length() {
        let mut world = World::new();
        let mut narrow = target(Mode::Ipip, [10, 0, 0, 11].into());
        narrow.room = 60;
        world.set_target(TARGET, narrow);
        for family in [Family::V4, Family::V6] {
            let lengths = [61, 62, 63, 64, 127, 128, 511, 547, 548, 549, 1023, 1231, 1232, 1233];
            for length in lengths.into_iter().chain(61..90) {
                let header = if family == Family::V4 { 40 } else { 60 };
                let payload = length - header;
                let packet = Packet { payload, ..Packet::new(family, TCP, PORT_TCP) };
                for padding in [0, 7] {
                    let frame = Frame { padding, ..packet.frame() };
                    let outcome = world.run("short", &frame.bytes());
                    let expected = too_big_sent(family, narrow.room, &frame.ip);
                    let expected = expected.between(BALANCER_MAC, CLIENT_MAC);
                    assert!(
                        outcome.frame == expected,
                        "{family:?} {length}\n{}\n{}",
                        shown(&expected),
                        shown(&outcome.frame)
                    );
                    let counted = ["packet_too_big", "too_big_sent"];
                    assert_eq!(outcome.counted, counted.map(|name| (name.to_owned(), 1)).into());
                }
            }
        }
    }
}
