//! The target side: what comes out of a tunnel packet, and what is left alone.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, UdpHeader};
use lb_common::{Address, Counter, DropReason, Family, WideKey};
use lb_ebpf::Verdict;

use crate::{
    forwarding::{frames, kinds},
    support::{
        frames::{BALANCER_MAC, Frame, Packet, TARGET_MAC, TCP, UDP, shown},
        world::{DecapWorld, GUE_PORT, PORT_TCP, Sides as _},
    },
};

const TARGET_V4: [u8; 4] = [10, 0, 0, 11];
const TARGET_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11];

pub(crate) fn addresses() -> [IpAddr; 2] {
    [TARGET_V4.into(), TARGET_V6.into()]
}

/// An outer header.
#[derive(Clone, Copy)]
pub(crate) struct Outer {
    pub(crate) family: Family,
    pub(crate) class: u8,
    /// IPv4: words of options; IPv6: bytes of a destination options header.
    pub(crate) more: usize,
    pub(crate) fragment: bool,
    /// UDP and this variant of GUE between the outer header and the packet.
    pub(crate) gue: Option<u8>,
}

/// The protocol number of what an outer header carries, and the UDP and GUE headers.
fn shim(outer: Outer, inner: &Frame) -> (u8, Vec<u8>) {
    let number = match inner.family {
        Family::V4 => 4,
        Family::V6 => 41,
    };
    let gue = match outer.gue {
        None => return (number, Vec::new()),
        Some(0) => vec![0, number, 0, 0],
        Some(_) => Vec::new(),
    };
    let length = u16::try_from(8 + gue.len() + inner.ip.len()).unwrap();
    let udp = UdpHeader { source_port: 50_000, destination_port: GUE_PORT, length, checksum: 7 };
    (17, [udp.to_bytes().to_vec(), gue].concat())
}

/// The tunnel packet with `inner` in it.
pub(crate) fn wrap(outer: Outer, inner: &Frame) -> Frame {
    let (protocol, shim) = shim(outer, inner);
    let length = shim.len() + inner.ip.len();
    let mut bytes = Vec::new();
    match outer.family {
        Family::V4 => {
            let total = u16::try_from(length).unwrap();
            let source = [172, 16, 3, 4];
            let mut ip = Ipv4Header::new(total, 64, IpNumber(protocol), source, TARGET_V4).unwrap();
            if outer.more > 0 {
                ip.options = vec![1; outer.more * 4].as_slice().try_into().unwrap();
                ip.total_len += u16::try_from(outer.more * 4).unwrap();
            }
            ip.dscp = (outer.class >> 2).try_into().unwrap();
            ip.ecn = (outer.class & 3).try_into().unwrap();
            ip.more_fragments = outer.fragment;
            ip.dont_fragment = !outer.fragment;
            ip.write(&mut bytes).unwrap();
        }
        Family::V6 => {
            let extension = outer.more + if outer.fragment { 8 } else { 0 };
            let first = match (outer.fragment, outer.more) {
                (true, _) => 44,
                (false, 0) => protocol,
                _ => 60,
            };
            let ip = Ipv6Header {
                traffic_class: outer.class,
                payload_length: u16::try_from(length + extension).unwrap(),
                next_header: IpNumber(first),
                hop_limit: 64,
                source: [1; 16],
                destination: TARGET_V6,
                ..Ipv6Header::default()
            };
            bytes.extend(ip.to_bytes());
            if outer.fragment {
                bytes.extend([protocol, 0, 0, 1, 0, 0, 0, 0]);
            } else if outer.more > 0 {
                let mut options = vec![0; outer.more];
                options[0] = protocol;
                options[1] = u8::try_from(outer.more / 8 - 1).unwrap();
                bytes.extend(options);
            }
        }
    }
    bytes.extend(&shim);
    bytes.extend(&inner.ip);
    Frame { family: outer.family, ip: bytes, ..inner.clone() }
}

pub(crate) const PLAIN: Outer =
    Outer { family: Family::V4, class: 0, more: 0, fragment: false, gue: None };

fn on_wire(frame: &Frame) -> Vec<u8> {
    frame.between(BALANCER_MAC, TARGET_MAC)
}

fn check(
    world: &mut DecapWorld,
    name: &str,
    given: &[u8],
    expected: &[u8],
    verdict: Verdict,
    counted: &[&str],
) {
    let outcome = world.run(name, given);
    assert_eq!(outcome.verdict, verdict, "{name}: {}", shown(given));
    assert!(
        outcome.frame == expected,
        "{name}\ngiven {}\nexpected {}\ngot {}",
        shown(given),
        shown(expected),
        shown(&outcome.frame)
    );
    let counted = counted.iter().map(|name| ((*name).to_owned(), 1)).collect();
    assert_eq!(outcome.counted, counted, "{name}: counters");
}

fn unwraps(world: &mut DecapWorld, name: &str, given: &Frame, inner: &Frame) {
    let gue = given.ip.get(if given.family == Family::V4 { 9 } else { 6 }) == Some(&17);
    let counted = if gue { Counter::DecapsulatedGue } else { Counter::Decapsulated };
    let counted = [counted.name()];
    check(world, name, &on_wire(given), &on_wire(inner), Verdict::Pass, &counted);
}

fn untouched(world: &mut DecapWorld, name: &str, given: &[u8]) {
    check(world, name, given, given, Verdict::Pass, &[]);
}

fn drops(world: &mut DecapWorld, name: &str, given: &Frame, reason: DropReason) {
    let bytes = on_wire(given);
    check(world, name, &bytes, &bytes, Verdict::Drop(reason), &[reason.name()]);
}

crate::support::world::in_sandbox! {
    fn every_kind_of_packet_comes_out_as_it_went_in() {
        let mut world = DecapWorld::new(&addresses());
        for inner_family in [Family::V4, Family::V6] {
            for protocol in [TCP, UDP] {
                for (kind, packet) in kinds(inner_family, protocol) {
                    for (layout, inner) in frames(&packet) {
                        for family in [Family::V4, Family::V6] {
                            for (more, gue) in [(0, None), (8, None), (0, Some(0)), (0, Some(1))] {
                                let outer = Outer { family, more, gue, ..PLAIN };
                                let name = format!("{inner_family:?} {kind} {layout} in {family:?} {more} {gue:?}");
                                // What is behind the inner packet stays behind it.
                                unwraps(&mut world, &name, &wrap(outer, &inner), &inner);
                            }
                        }
                    }
                }
            }
        }
    }

    fn congestion_is_carried_over_by_rfc_6040() {
        let mut world = DecapWorld::new(&addresses());
        for family in [Family::V4, Family::V6] {
            for inner_family in [Family::V4, Family::V6] {
                for inner_ecn in 0..4 {
                    for outer_ecn in 0..4 {
                        let class = 0x2c << 2 | inner_ecn;
                        let packet = Packet { class, ..Packet::new(inner_family, TCP, PORT_TCP) };
                        let outer = Outer { family, class: outer_ecn, ..PLAIN };
                        let given = wrap(outer, &packet.frame());
                        let name = format!("{outer_ecn:02b} over {inner_ecn:02b}");
                        if (outer_ecn, inner_ecn) == (3, 0) {
                            drops(&mut world, &name, &given, DropReason::EcnInvalid);
                            continue;
                        }
                        let marked = match (outer_ecn, inner_ecn) {
                            (3, _) => class | 3,
                            // ECT(1) over ECT(0) is carried over, too.
                            (1, 2) => class & !3 | 1,
                            _ => class,
                        };
                        // Its checksum is etherparse's.
                        let expected = Packet { class: marked, ..packet };
                        unwraps(&mut world, &name, &given, &expected.frame());
                    }
                }
            }
        }
    }

    fn what_is_not_a_tunnel_packet_for_this_host_passes() {
        let mut world = DecapWorld::new(&addresses());
        for family in [Family::V4, Family::V6] {
            let packet = Packet::new(family, TCP, PORT_TCP);
            untouched(&mut world, "no tunnel", &on_wire(&packet.frame()));
            let mut other = wrap(Outer { family, ..PLAIN }, &packet.frame());
            let last = if family == Family::V4 { 19 } else { 39 };
            other.ip[last] ^= 1;
            untouched(&mut world, "another host's", &on_wire(&other));
            let fragment = wrap(Outer { family, fragment: true, ..PLAIN }, &packet.frame());
            untouched(&mut world, "fragment", &on_wire(&fragment));
        }
    }

    fn malformed_tunnel_packets_are_dropped() {
        let mut world = DecapWorld::new(&addresses());
        for family in [Family::V4, Family::V6] {
            let header = if family == Family::V4 { 20 } else { 40 };
            for inner_family in [Family::V4, Family::V6] {
                let packet = Packet::new(inner_family, TCP, PORT_TCP);
                let good = wrap(Outer { family, ..PLAIN }, &packet.frame());
                let bad = |edit: &dyn Fn(&mut Vec<u8>)| {
                    let mut frame = good.clone();
                    edit(&mut frame.ip);
                    frame
                };
                let reason = DropReason::InnerHeaderMalformed;
                let version = bad(&|ip| ip[header] ^= 0x70);
                drops(&mut world, "inner version", &version, reason);
                let field = if inner_family == Family::V4 { 2 } else { 4 };
                let longer = bad(&|ip| ip[header + field] = 9);
                drops(&mut world, "inner longer than outer", &longer, reason);
                let outer = bad(&|ip| ip[if family == Family::V4 { 2 } else { 4 }] = 9);
                let reason = DropReason::OuterHeaderMalformed;
                drops(&mut world, "outer longer than frame", &outer, reason);
            }
        }
    }

    fn gue_that_is_not_a_plain_tunnel_is_the_host_s() {
        let mut world = DecapWorld::new(&addresses());
        for family in [Family::V4, Family::V6] {
            let header = if family == Family::V4 { 20 } else { 40 };
            let packet = Packet::new(Family::V4, TCP, PORT_TCP);
            let with = |variant, edit: &dyn Fn(&mut Vec<u8>)| {
                let mut frame =
                    wrap(Outer { family, gue: Some(variant), ..PLAIN }, &packet.frame());
                edit(&mut frame.ip);
                on_wire(&frame)
            };
            let gue = header + 8;
            untouched(&mut world, "another port", &with(1, &|ip| ip[header + 3] ^= 1));
            untouched(&mut world, "control message", &with(0, &|ip| ip[gue] = 0x20));
            untouched(&mut world, "optional fields", &with(0, &|ip| ip[gue] = 1));
            untouched(&mut world, "flags", &with(0, &|ip| ip[gue + 3] = 1));
            untouched(&mut world, "another payload", &with(0, &|ip| ip[gue + 1] = 17));
            untouched(&mut world, "a later variant", &with(1, &|ip| ip[gue] = 0x85));
            let mut longer = wrap(Outer { family, gue: Some(1), ..PLAIN }, &packet.frame());
            longer.ip[gue + 2] = 9;
            drops(&mut world, "longer than UDP", &longer, DropReason::InnerHeaderMalformed);
            let mut empty = wrap(Outer { family, gue: Some(0), ..PLAIN }, &packet.frame());
            empty.ip.truncate(gue + 4);
            empty.padding = 60;
            let (at, length) = if family == Family::V4 { (2, gue + 4) } else { (4, 12) };
            empty.ip[at + 1] = u8::try_from(length).unwrap();
            empty.ip[header + 4..header + 6].copy_from_slice(&[0, 12]);
            drops(&mut world, "nothing inside", &empty, DropReason::InnerHeaderMalformed);
            for (variant, inside) in [(0, 12), (1, 8)] {
                let good = wrap(Outer { family, gue: Some(variant), ..PLAIN }, &packet.frame());
                let length = |length: usize| {
                    let mut frame = good.clone();
                    let field = u16::try_from(length).unwrap().to_be_bytes();
                    frame.ip[header + 4..header + 6].copy_from_slice(&field);
                    frame
                };
                let reason = DropReason::OuterHeaderMalformed;
                let longest = good.ip.len() - header;
                for impossible in [0, 7, inside - 1, longest + 1, 0xffff] {
                    let name = format!("{variant}: {impossible} bytes of UDP");
                    drops(&mut world, &name, &length(impossible), reason);
                }
                let shorter = length(longest - 1);
                let reason = DropReason::InnerHeaderMalformed;
                drops(&mut world, "inner longer than UDP", &shorter, reason);
            }
        }
    }

    fn only_packets_for_a_vip_come_out() {
        let v4 = WideKey::new(Family::V4, Address::v4([192, 0, 2, 0]));
        let v6 = WideKey::new(Family::V6, Address::v6([0x20; 16]));
        let prefixes = [(WideKey::FAMILY_BITS + 24, v4), (WideKey::FAMILY_BITS + 8, v6)];
        let mut world = DecapWorld::with(&addresses(), &[], &prefixes);
        for family in [Family::V4, Family::V6] {
            for gue in [None, Some(0), Some(1)] {
                let to = |destination: IpAddr| {
                    let packet = Packet { destination, ..Packet::new(family, TCP, PORT_TCP) };
                    (wrap(Outer { family, gue, ..PLAIN }, &packet.frame()), packet.frame())
                };
                let (own, in_prefix, others) = match family {
                    Family::V4 => (TARGET_V4.into(), [192, 0, 2, 77].into(), [192, 0, 3, 77].into()),
                    Family::V6 => (TARGET_V6.into(), [0x20; 16].into(), [0x21; 16].into()),
                };
                let (given, inner) = to(in_prefix);
                unwraps(&mut world, "a prefix of VIPs", &given, &inner);
                for destination in [own, others] {
                    let reason = DropReason::InnerDestinationRefused;
                    drops(&mut world, "no VIP", &to(destination).0, reason);
                }
            }
        }
    }

    fn of_icmp_only_pings_and_errors_come_out() {
        let mut world = DecapWorld::new(&addresses());
        for (family, carried) in
            [(Family::V4, &[3, 8, 11, 12][..]), (Family::V6, &[1, 2, 3, 4, 128])]
        {
            let own = if family == Family::V4 { 1 } else { 58 };
            for kind in 0..=255 {
                let mut packet = Packet::new(family, TCP, PORT_TCP).frame();
                packet.ip[if family == Family::V4 { 9 } else { 6 }] = own;
                let header = if family == Family::V4 { 20 } else { 40 };
                packet.ip[header] = kind;
                packet.ip[header + 1] = 0;
                let given = wrap(Outer { family, ..PLAIN }, &packet);
                if carried.contains(&kind) {
                    unwraps(&mut world, "carried", &given, &packet);
                } else {
                    drops(&mut world, "another type", &given, DropReason::InnerProtocolRefused);
                }
            }
        }
    }

    fn only_tcp_udp_and_icmp_come_out() {
        let mut world = DecapWorld::new(&addresses());
        for family in [Family::V4, Family::V6] {
            let own = if family == Family::V4 { 1 } else { 58 };
            for protocol in 0..=255 {
                let mut inner = Packet::new(family, TCP, PORT_TCP).frame();
                inner.ip[if family == Family::V4 { 9 } else { 6 }] = protocol;
                if protocol == own {
                    let ping: [u8; 2] = if family == Family::V4 { [8, 0] } else { [128, 0] };
                    let header = if family == Family::V4 { 20 } else { 40 };
                    inner.ip[header..][..2].copy_from_slice(&ping);
                }
                let given = wrap(Outer { family, ..PLAIN }, &inner);
                if [TCP, UDP, own].contains(&protocol) {
                    unwraps(&mut world, "carried", &given, &inner);
                    continue;
                }
                let bytes = on_wire(&given);
                let outcome = world.run(&format!("protocol {protocol}"), &bytes);
                let extension = family == Family::V6 && [0, 43, 44, 51, 60, 135].contains(&protocol);
                // The TCP header is then no chain of headers.
                let refused = Verdict::Drop(DropReason::InnerProtocolRefused);
                assert!(outcome.verdict == refused || extension, "{protocol}: {:?}", outcome.verdict);
                assert!(outcome.verdict != Verdict::Pass, "protocol {protocol} came out");
            }
        }
        // Behind extension headers it is what counts, too; and a fragment is of what it names.
        let extensions = vec![(60, 8), (44, 8)];
        for (protocol, comes_out) in [(UDP, true), (50, false)] {
            let fragment = Some((8, false));
            let extensions = extensions.clone();
            let packet =
                Packet { extensions, fragment, ..Packet::new(Family::V6, protocol, PORT_TCP) };
            let given = wrap(PLAIN, &packet.frame());
            if comes_out {
                unwraps(&mut world, "a fragment", &given, &packet.frame());
            } else {
                drops(&mut world, "a fragment", &given, DropReason::InnerProtocolRefused);
            }
        }
    }

    fn only_allowed_sources_are_unwrapped() {
        let v4 = WideKey::new(Family::V4, Address::v4([172, 16, 0, 0]));
        let v6 = WideKey::new(Family::V6, Address::v6([1; 16]));
        let sources = [(WideKey::FAMILY_BITS + 16, v4), (WideKey::FAMILY_BITS + 128, v6)];
        let mut world = DecapWorld::with(&addresses(), &sources, &[]);
        for family in [Family::V4, Family::V6] {
            for gue in [None, Some(0), Some(1)] {
                let packet = Packet::new(family, TCP, PORT_TCP).frame();
                let good = wrap(Outer { family, gue, ..PLAIN }, &packet);
                unwraps(&mut world, "allowed", &good, &packet);
                let mut other = good.clone();
                other.ip[if family == Family::V4 { 13 } else { 23 }] ^= 1;
                drops(&mut world, "refused", &other, DropReason::OuterSourceRefused);
            }
        }
    }
}
