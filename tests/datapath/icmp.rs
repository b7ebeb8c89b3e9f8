//! ICMP: pings to a VIP, errors about packets of a target, and "too big" messages.

use std::net::IpAddr;

use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber, Ipv4Header,
    Ipv6Header, icmpv4::DestUnreachableHeader,
};
use lb_common::{DropReason, Family, Mode, Switches};
use lb_ebpf::Verdict;

use crate::{
    forwarding::{Wrap, tunnelled},
    support::{
        frames::{
            BALANCER_MAC, CLIENT_MAC, CLIENT_V4, CLIENT_V6, Frame, Packet, TCP, UDP, VIP_V4,
            VIP_V6, shown,
        },
        world::{Outcome, PORT_TCP, PORT_UDP, SWITCHES, Sides as _, TARGET, World, target},
    },
};

pub(crate) const ROUTER_V4: [u8; 4] = [198, 51, 100, 1];
pub(crate) const ROUTER_V6: [u8; 16] = [0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// An IP packet with an ICMP message in it, TTL or hop limit 64.
pub(crate) fn message_v4(
    source: [u8; 4],
    destination: [u8; 4],
    kind: Icmpv4Type,
    body: &[u8],
) -> Frame {
    let icmp = Icmpv4Header::with_checksum(kind, body);
    let length = u16::try_from(icmp.header_len() + body.len()).unwrap();
    let mut ip = Ipv4Header::new(length, 64, IpNumber::ICMP, source, destination).unwrap();
    ip.dont_fragment = true;
    ip.header_checksum = ip.calc_header_checksum();
    let bytes = [&ip.to_bytes()[..], &icmp.to_bytes(), body].concat();
    Frame::new(Family::V4, bytes)
}

pub(crate) fn message_v6(
    source: [u8; 16],
    destination: [u8; 16],
    kind: Icmpv6Type,
    body: &[u8],
) -> Frame {
    let icmp = Icmpv6Header::with_checksum(kind, source, destination, body).unwrap();
    let ip = Ipv6Header {
        payload_length: u16::try_from(icmp.header_len() + body.len()).unwrap(),
        next_header: IpNumber::IPV6_ICMP,
        hop_limit: 64,
        source,
        destination,
        ..Ipv6Header::default()
    };
    Frame::new(Family::V6, [&ip.to_bytes()[..], &icmp.to_bytes(), body].concat())
}

const ECHO: IcmpEchoHeader = IcmpEchoHeader { id: 0x1234, seq: 7 };
const BODY: &[u8] = b"are you there? 012345678901234567890123456789!";

/// A ping to a VIP, and its answer.
pub(crate) fn ping(family: Family) -> (Frame, Frame) {
    match family {
        Family::V4 => (
            message_v4(CLIENT_V4, VIP_V4, Icmpv4Type::EchoRequest(ECHO), BODY),
            message_v4(VIP_V4, CLIENT_V4, Icmpv4Type::EchoReply(ECHO), BODY),
        ),
        Family::V6 => (
            message_v6(CLIENT_V6, VIP_V6, Icmpv6Type::EchoRequest(ECHO), BODY),
            message_v6(VIP_V6, CLIENT_V6, Icmpv6Type::EchoReply(ECHO), BODY),
        ),
    }
}

/// What a target sends to a client: the packet that errors are about.
fn answer(packet: &Packet) -> Vec<u8> {
    let mut ip = packet.bytes();
    let (start, length) = if packet.family == Family::V4 { (12, 4) } else { (8, 16) };
    let (source, destination) = ip[start..start + 2 * length].split_at_mut(length);
    source.swap_with_slice(destination);
    let header = ip.len() - packet.payload - if packet.protocol == TCP { 20 } else { 8 };
    ip.swap(header, header + 2);
    ip.swap(header + 1, header + 3);
    ip
}

/// Errors of every kind about `quote`, from a router to the VIP.
fn errors(family: Family, quote: &[u8]) -> Vec<(String, Frame)> {
    match family {
        Family::V4 => errors_between(ROUTER_V4.into(), VIP_V4.into(), quote),
        Family::V6 => errors_between(ROUTER_V6.into(), VIP_V6.into(), quote),
    }
}

/// Errors of every kind about `quote`.
pub(crate) fn errors_between(from: IpAddr, to: IpAddr, quote: &[u8]) -> Vec<(String, Frame)> {
    let unknown = |type_u8, code_u8| Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8: [0; 4] };
    let unknown6 = |type_u8, code_u8| Icmpv6Type::Unknown { type_u8, code_u8, bytes5to8: [0; 4] };
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [
            ("port unreachable", unknown(3, 3)),
            (
                "fragmentation needed",
                Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::FragmentationNeeded {
                    next_hop_mtu: 1400,
                }),
            ),
            ("time exceeded", unknown(11, 0)),
            ("parameter problem", unknown(12, 0)),
        ]
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), message_v4(from.octets(), to.octets(), kind, quote)))
        .collect(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [
            ("unreachable", unknown6(1, 4)),
            ("too big", Icmpv6Type::PacketTooBig { mtu: 1400 }),
            ("time exceeded", unknown6(3, 0)),
            ("parameter problem", unknown6(4, 0)),
        ]
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), message_v6(from.octets(), to.octets(), kind, quote)))
        .collect(),
        _ => panic!("two families in one packet"),
    }
}

/// Good ICMP frames, for random ones to start from.
pub(crate) fn good() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for family in [Family::V4, Family::V6] {
        all.push(ping(family).0.bytes());
        let packet = Packet::new(family, TCP, PORT_TCP);
        all.extend(errors(family, &answer(&packet)).iter().map(|(_, frame)| frame.bytes()));
    }
    all
}

pub(crate) fn passes(world: &mut World, name: &str, frame: &[u8]) {
    let Outcome { verdict, frame: after, counted } = world.run(name, frame);
    assert_eq!((verdict, counted.len()), (Verdict::Pass, 0), "{name}: {}", shown(frame));
    assert!(after == frame, "{name}: changed");
}

fn malformed(world: &mut World, name: &str, frame: &[u8]) {
    let Outcome { verdict, frame: after, counted } = world.run(name, frame);
    let reason = DropReason::TransportHeaderMalformed;
    assert_eq!(verdict, Verdict::Drop(reason), "{name}: {}", shown(frame));
    assert_eq!(counted, [(reason.name().to_owned(), 1)].into(), "{name}");
    assert!(after == frame, "{name}: changed");
}

/// The same frame for an address that is no VIP.
fn for_others(family: Family, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[14 + if family == Family::V4 { 19 } else { 39 }] ^= 0x40;
    frame
}

/// The frame with an IP packet that ends one byte earlier; that byte is still there.
fn shortened(mut frame: Frame) -> Vec<u8> {
    let at = if frame.family == Family::V4 { 3 } else { 5 };
    frame.ip[at] -= 1;
    frame.bytes()
}

crate::support::world::in_sandbox! {
    fn pings_to_a_vip_are_answered() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            for tags in [vec![], vec![(0x8100, 5)], vec![(0x88a8, 7), (0x8100, 9)]] {
                let (request, reply) = ping(family);
                let request = Frame { tags: tags.clone(), ..request };
                let reply = Frame { tags, ..reply }.between(BALANCER_MAC, CLIENT_MAC);
                let outcome = world.run("ping", &request.bytes());
                assert_eq!(outcome.verdict, Verdict::Transmit);
                assert!(outcome.frame == reply, "{}\n{}", shown(&reply), shown(&outcome.frame));
                assert_eq!(outcome.counted, [("echo_reply_sent".to_owned(), 1)].into());
            }
            let mut elsewhere = ping(family).0;
            let last = if family == Family::V4 { 19 } else { 39 };
            elsewhere.ip[last] ^= 0x40;
            passes(&mut world, "no VIP", &elsewhere.bytes());
            passes(&mut world, "a reply", &ping(family).1.bytes());
        }
    }

    fn messages_that_are_cut_off_are_malformed() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let header = if family == Family::V4 { 20 } else { 40 };
            let quote = answer(&Packet::new(family, TCP, PORT_TCP));
            for inside in [0, 8, header - 1, header, header + 3] {
                for (kind, frame) in errors(family, &quote[..inside]) {
                    let alone = frame.bytes();
                    // As if the rest of the quote were there.
                    let padded = [&alone, &quote[inside..]].concat();
                    for bytes in [alone, padded] {
                        malformed(&mut world, &format!("{kind} {inside}"), &bytes);
                        passes(&mut world, "for others", &for_others(family, &bytes));
                    }
                }
            }
            for (kind, frame) in errors(family, &[]) {
                malformed(&mut world, &format!("{kind}: its own header"), &shortened(frame));
            }
        }
    }

    fn pings_are_limited_and_can_be_turned_off() {
        let mut world = World::new();
        let frame = ping(Family::V4).0.bytes();
        world.set_switches(Switches { icmp_rate: 3, ..SWITCHES });
        world.host.now.set(10_000_000_000);
        for number in 0..5 {
            let (verdict, bytes) = world.run_host(&frame);
            let allowed = number < 3;
            assert_eq!(verdict == Verdict::Transmit, allowed, "ping {number}");
            assert!(allowed || bytes == frame, "a dropped packet is unchanged");
        }
        assert_eq!(world.host_counters()["icmp_rate_limited"], 2);
        let sent = (0..200).filter(|_| world.kernel.run(&frame).action == 3).count();
        assert!((1..100).contains(&sent), "{sent} of 200 pings answered at 3 a second and CPU");
        assert_eq!(world.kernel_counters()["icmp_rate_limited"], 200 - sent as u64);
        world.set_switches(Switches { flags: 0, ..SWITCHES });
        passes(&mut world, "turned off", &frame);
    }

    fn errors_go_to_the_target_of_the_flow_in_them() {
        let mut world = World::new();
        for (mode, address) in [(Mode::Ipip, "fd00::11"), (Mode::L2dsr, "10.0.0.11")] {
            let address: IpAddr = address.parse().unwrap();
            world.set_target(TARGET, target(mode, address));
            for family in [Family::V4, Family::V6] {
                for (protocol, port) in [(TCP, PORT_TCP), (UDP, PORT_UDP)] {
                    let packet = Packet::new(family, protocol, port);
                    let quote = answer(&packet);
                    let header = if family == Family::V4 { 20 } else { 40 };
                    for length in [header + 8, quote.len()] {
                        for (kind, frame) in errors(family, &quote[..length]) {
                            let name = format!("{mode:?} {family:?} {protocol} {kind} {length}");
                            let outcome = world.run(&name, &frame.bytes());
                            let expected = match mode {
                                Mode::L2dsr => frame.towards(None),
                                _ => tunnelled(&packet, &frame, address, Wrap::Ipip, None),
                            };
                            assert!(outcome.frame == expected, "{name}: {}", shown(&outcome.frame));
                            assert_eq!(outcome.counted["icmp_error_forwarded"], 1, "{name}");
                            assert_eq!(outcome.counted["target 1 packets"], 1, "{name}");
                        }
                    }
                }
            }
        }
    }

    fn errors_about_other_packets_are_the_host_s() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let quote = |protocol, port| answer(&Packet::new(family, protocol, port));
            let good = quote(TCP, PORT_TCP);
            let mut cases = vec![
                ("no listener", quote(TCP, 8080)),
                ("sent by somebody else", Packet::new(family, TCP, PORT_TCP).bytes()),
            ];
            let mut other_protocol = good.clone();
            other_protocol[if family == Family::V4 { 9 } else { 6 }] = 50;
            cases.push(("neither tcp nor udp", other_protocol));
            let mut other_version = good.clone();
            other_version[0] = 0x55;
            cases.push(("no version", other_version));
            for (name, quote) in cases {
                for (kind, frame) in errors(family, &quote) {
                    passes(&mut world, &format!("{family:?} {name} {kind}"), &frame.bytes());
                }
            }
        }
    }

    fn senders_are_told_the_largest_packet() {
        let mut world = World::new();
        for (mode, address, overhead) in [
            (Mode::Ipip, "10.0.0.11", 20_u16),
            (Mode::Ipip, "fd00::11", 40),
            (Mode::L2dsr, "10.0.0.11", 0),
        ] {
            world.set_target(TARGET, target(mode, address.parse().unwrap()));
            let room = 1500 - overhead;
            for (family, header) in [(Family::V4, 40), (Family::V6, 60)] {
                let payload = usize::from(room) - header + 1;
                let packet = Packet { payload, ..Packet::new(family, TCP, PORT_TCP) };
                for tags in [vec![], vec![(0x8100, 5)]] {
                    let frame = Frame { tags: tags.clone(), ..packet.frame() };
                    let outcome = world.run("too big", &frame.bytes());
                    let expected = crate::answers::too_big_sent(family, room, &frame.ip);
                    let expected = Frame { tags, ..expected }.between(BALANCER_MAC, CLIENT_MAC);
                    let name = format!("{mode:?} {address} {family:?}");
                    assert!(
                        outcome.frame == expected,
                        "{name}\n{}\n{}",
                        shown(&expected),
                        shown(&outcome.frame)
                    );
                }
                // An ICMP error causes no ICMP error.
                let quote = [answer(&packet), vec![0; 1500]].concat();
                for (kind, frame) in errors(family, &quote[..usize::from(room)]) {
                    let outcome = world.run(&kind, &frame.bytes());
                    assert_eq!(outcome.counted, [("packet_too_big".to_owned(), 1)].into());
                }
            }
        }
    }
}
