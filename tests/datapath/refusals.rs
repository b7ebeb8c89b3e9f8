//! What is not forwarded: passed untouched, or dropped with its reason. Nothing of it is changed.

use lb_common::{DropReason, Family};
use lb_ebpf::Verdict;

use crate::support::{
    frames::{Frame, Packet, TCP, UDP, shown},
    world::{
        PORT_BAD_MODE, PORT_NO_OWNER, PORT_NO_RING, PORT_NO_TARGET, PORT_TCP, PORT_UDP,
        PORT_UNRESOLVED, Sides as _, World,
    },
};

/// The frame must come out as it went in.
fn check(world: &mut World, name: &str, frame: &[u8], verdict: Verdict, counted: &[&str]) {
    let outcome = world.run(name, frame);
    assert_eq!(outcome.verdict, verdict, "{name}: {}", shown(frame));
    assert!(outcome.frame == frame, "{name}: the frame was changed");
    let counted = counted.iter().map(|name| ((*name).to_owned(), 1)).collect();
    assert_eq!(outcome.counted, counted, "{name}: counters");
}

fn passes(world: &mut World, name: &str, frame: &[u8]) {
    check(world, name, frame, Verdict::Pass, &[]);
}

fn drops(world: &mut World, name: &str, frame: &[u8], reason: DropReason) {
    check(world, name, frame, Verdict::Drop(reason), &[reason.name()]);
}

/// The same frame for an address that is no VIP.
fn elsewhere(frame: &Frame) -> Vec<u8> {
    let mut frame = frame.clone();
    let last = match frame.family {
        Family::V4 => 19,
        Family::V6 => 39,
    };
    if let Some(byte) = frame.ip.get_mut(last) {
        *byte ^= 0x40;
    }
    frame.bytes()
}

/// Dropped for a VIP, untouched for anybody else.
fn malformed(world: &mut World, name: &str, frame: &Frame, reason: DropReason) {
    drops(world, name, &frame.bytes(), reason);
    passes(world, &format!("{name}, no VIP"), &elsewhere(frame));
}

fn edited(packet: &Packet, edit: impl Fn(&mut Vec<u8>)) -> Frame {
    let mut frame = packet.frame();
    edit(&mut frame.ip);
    frame
}

crate::support::world::in_sandbox! {
    fn what_is_not_for_a_listener_passes_untouched() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let tcp = Packet::new(family, TCP, PORT_TCP);
            let port = Packet { port: 8080, ..tcp.clone() }.frame().bytes();
            passes(&mut world, "other port", &port);
            let udp = Packet::new(family, UDP, PORT_TCP).frame().bytes();
            passes(&mut world, "other protocol", &udp);
            passes(&mut world, "other address", &elsewhere(&tcp.frame()));
            let icmp = Packet { protocol: 1, ..tcp.clone() }.frame().bytes();
            passes(&mut world, "neither tcp nor udp", &icmp);
            let mut three_tags = tcp.frame();
            three_tags.tags = vec![(0x88a8, 1), (0x8100, 2), (0x8100, 3)];
            passes(&mut world, "three tags", &three_tags.bytes());
            for destination in [[0xff; 6], [1, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1]] {
                let group = tcp.frame().between([2, 0, 0, 0, 0, 1], destination);
                passes(&mut world, "group frame", &group);
            }
        }
        let mut arp = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x06];
        arp.resize(60, 0);
        passes(&mut world, "arp", &arp);
        // An IPv6 address that maps an IPv4 VIP is another address.
        let mut mapped = Packet::new(Family::V6, TCP, PORT_TCP).frame();
        let v4_in_v6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 10];
        mapped.ip[24..40].copy_from_slice(&v4_in_v6);
        passes(&mut world, "mapped address", &mapped.bytes());
    }

    fn malformed_ipv4_is_dropped_for_vips_only() {
        let mut world = World::new();
        let packet = Packet::new(Family::V4, TCP, PORT_TCP);
        let reason = DropReason::Ipv4HeaderMalformed;
        for (name, offset, value) in
            [("version 5", 0, 0x55), ("short header", 0, 0x44), ("length beyond frame", 2, 0x40)]
        {
            malformed(&mut world, name, &edited(&packet, |ip| ip[offset] = value), reason);
        }
        let frame = edited(&packet, |ip| ip[2..4].copy_from_slice(&[0, 19]));
        malformed(&mut world, "length below header", &frame, reason);
    }

    fn malformed_ipv6_is_dropped_for_vips_only() {
        let mut world = World::new();
        let packet = Packet::new(Family::V6, TCP, PORT_TCP);
        let reason = DropReason::Ipv6HeaderMalformed;
        malformed(&mut world, "version 4", &edited(&packet, |ip| ip[0] = 0x40), reason);
        let frame = edited(&packet, |ip| ip[4..6].copy_from_slice(&[0, 0]));
        malformed(&mut world, "no payload", &frame, reason);
        let frame = edited(&packet, |ip| ip[4] = 0x40);
        malformed(&mut world, "payload beyond frame", &frame, reason);
        let frame = edited(&packet, |ip| ip[4..6].copy_from_slice(&[0xff, 0xff]));
        malformed(&mut world, "payload beyond 64 KiB", &frame, reason);
        let long = Packet { extensions: vec![(60, 16)], ..packet.clone() };
        let frame = edited(&long, |ip| ip[41] = 200);
        malformed(&mut world, "extension beyond packet", &frame, DropReason::ExtensionHeaderMalformed);
        // A fragment header that the packet announces, but only its padding has.
        let mut behind = packet.frame();
        behind.ip.truncate(44);
        behind.ip[4..6].copy_from_slice(&[0, 4]);
        behind.ip[6] = 60;
        behind.ip[40..44].copy_from_slice(&[44, 0, 0, 0]);
        behind.padding = 40;
        let reason = DropReason::ExtensionHeaderMalformed;
        malformed(&mut world, "extension in the padding", &behind, reason);
        let eight = Packet { extensions: vec![(60, 8); 8], ..packet };
        let reason = DropReason::ExtensionHeadersTooMany;
        malformed(&mut world, "eight extension headers", &eight.frame(), reason);
    }

    fn malformed_transport_headers_are_dropped_for_vips_only() {
        let mut world = World::new();
        let reason = DropReason::TransportHeaderMalformed;
        for (family, header) in [(Family::V4, 20), (Family::V6, 40)] {
            let tcp = Packet::new(family, TCP, PORT_TCP);
            for value in [0x40, 0xf0] {
                let frame = edited(&tcp, |ip| ip[header + 12] = value);
                malformed(&mut world, &format!("data offset {value:#x}"), &frame, reason);
            }
            let udp = Packet::new(family, UDP, PORT_UDP);
            for length in [[0, 0], [0, 7], [1, 0]] {
                let frame = edited(&udp, |ip| ip[header + 4..header + 6].copy_from_slice(&length));
                malformed(&mut world, &format!("udp length {length:?}"), &frame, reason);
            }
        }
    }

    fn broken_groups_have_their_reasons() {
        let mut world = World::new();
        for (port, reason) in [
            (PORT_NO_RING, DropReason::RingMissing),
            (PORT_NO_OWNER, DropReason::NoTarget),
            (PORT_NO_TARGET, DropReason::TargetMissing),
            (PORT_UNRESOLVED, DropReason::NextHopUnresolved),
            (PORT_BAD_MODE, DropReason::ModeUnknown),
        ] {
            for family in [Family::V4, Family::V6] {
                let frame = Packet::new(family, TCP, port).frame().bytes();
                drops(&mut world, reason.name(), &frame, reason);
            }
        }
    }
}
