//! What the modes write, for every kind of packet that goes to a target.

use std::{collections::BTreeSet, hash::Hasher as _, net::IpAddr};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header};
use lb_common::{Family, Mode};
use lb_ebpf::Verdict;
use siphasher::sip::SipHasher13;

use crate::support::{
    frames::{
        BALANCER_MAC, CLIENT_V4, CLIENT_V6, Frame, Packet, TARGET_MAC, TCP, UDP, VIP_V4, VIP_V6,
        shown,
    },
    kernel::SEED,
    world::{INGRESS, PORT_TCP, PORT_UDP, Sides as _, TARGET, World, target},
};

/// The flow hash, by the crate siphasher.
pub(crate) fn flow_hash(packet: &Packet) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(SEED[0], SEED[1]);
    match packet.family {
        Family::V4 => [CLIENT_V4, VIP_V4].iter().for_each(|address| hasher.write(address)),
        Family::V6 => [CLIENT_V6, VIP_V6].iter().for_each(|address| hasher.write(address)),
    }
    hasher.write(&packet.source_port.to_be_bytes());
    hasher.write(&packet.port.to_be_bytes());
    hasher.write(&[packet.protocol, packet.family as u8, 0, 0]);
    hasher.finish()
}

/// The frame with an outer header, by etherparse.
fn tunnelled(packet: &Packet, frame: &Frame, target: IpAddr) -> Vec<u8> {
    let protocol = IpNumber(match packet.family {
        Family::V4 => 4,
        Family::V6 => 41,
    });
    let flow = (flow_hash(packet) & 0xffff) as u16;
    let [high, low] = flow.to_be_bytes();
    let length = u16::try_from(frame.ip.len()).unwrap();
    let (family, mut ip) = match target {
        IpAddr::V4(target) => {
            let source = [172, 16, high, low];
            let mut outer = Ipv4Header::new(length, 64, protocol, source, target.octets()).unwrap();
            outer.dont_fragment = true;
            outer.dscp = (packet.class >> 2).try_into().unwrap();
            outer.ecn = (packet.class & 3).try_into().unwrap();
            let mut bytes = Vec::new();
            outer.write(&mut bytes).unwrap();
            (Family::V4, bytes)
        }
        IpAddr::V6(target) => {
            let outer = Ipv6Header {
                traffic_class: packet.class,
                flow_label: u32::from(flow).try_into().unwrap(),
                payload_length: length,
                next_header: protocol,
                hop_limit: 64,
                source: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low],
                destination: target.octets(),
            };
            (Family::V6, outer.to_bytes().to_vec())
        }
    };
    ip.extend(&frame.ip);
    let outer = Frame { family, ip, ..frame.clone() };
    outer.between(BALANCER_MAC, TARGET_MAC)
}

/// Kinds of packets that are forwarded.
pub(crate) fn kinds(family: Family, protocol: u8) -> Vec<(String, Packet)> {
    let port = if protocol == TCP { PORT_TCP } else { PORT_UDP };
    let plain = Packet::new(family, protocol, port);
    let mut kinds = vec![("plain".to_owned(), plain.clone())];
    let mut add = |name: &str, packet: Packet| kinds.push((name.to_owned(), packet));
    add("no payload", Packet { payload: 0, ..plain.clone() });
    for class in [0x03, 0xb8, 0xff] {
        add(&format!("class {class:#x}"), Packet { class, ..plain.clone() });
    }
    if family == Family::V4 {
        for words in [1, 10] {
            let options = vec![1; words * 4];
            add(&format!("{words} words of options"), Packet { options, ..plain.clone() });
        }
        return kinds;
    }
    for (name, number, length) in [
        ("hop-by-hop", 0, 8),
        ("routing", 43, 24),
        ("destination options", 60, 16),
        ("long destination options", 60, 2048 / 2),
        ("authentication", 51, 24),
        ("mobility", 135, 8),
        ("atomic fragment", 44, 8),
    ] {
        add(name, Packet { extensions: vec![(number, length)], ..plain.clone() });
    }
    let extensions = vec![(60, 1024), (43, 8)];
    add("a header behind a long one", Packet { extensions, ..plain.clone() });
    let extensions = vec![(0, 8), (60, 8), (43, 8), (44, 8), (51, 16), (60, 8), (135, 8)];
    add("seven extension headers", Packet { extensions, ..plain.clone() });
    kinds
}

/// Ways to lay a packet into a frame.
pub(crate) fn frames(packet: &Packet) -> Vec<(String, Frame)> {
    let plain = packet.frame();
    let mut frames = vec![("untagged".to_owned(), plain.clone())];
    for tags in [vec![(0x8100, 5)], vec![(0x88a8, 7)], vec![(0x88a8, 7), (0x8100, 4094)]] {
        frames.push((format!("tags {tags:?}"), Frame { tags, ..plain.clone() }));
    }
    frames.push(("padded".to_owned(), Frame { padding: 17, ..plain }));
    frames
}

fn check(world: &mut World, name: &str, packet: &Packet, frame: &Frame, expected: &[u8]) {
    let outcome = world.run(name, &frame.bytes());
    assert_eq!(outcome.verdict, Verdict::Transmit, "{name}: {}", shown(&frame.bytes()));
    assert!(
        outcome.frame == expected,
        "{name}\nexpected {}\ngot {}",
        shown(expected),
        shown(&outcome.frame)
    );
    let listener =
        u16::from(packet.protocol == UDP) + 1 + if packet.family == Family::V6 { 100 } else { 0 };
    let bytes = frame.ip.len() as u64;
    let counted = [
        (format!("listener {listener} packets"), 1),
        (format!("listener {listener} bytes"), bytes),
        (format!("target {TARGET} packets"), 1),
        (format!("target {TARGET} bytes"), bytes),
    ];
    assert_eq!(outcome.counted, counted.into(), "{name}: counters");
}

fn every_kind(mut visit: impl FnMut(&str, &Packet, &Frame)) {
    for family in [Family::V4, Family::V6] {
        for protocol in [TCP, UDP] {
            for (kind, packet) in kinds(family, protocol) {
                for (layout, frame) in frames(&packet) {
                    visit(&format!("{family:?} {protocol} {kind} {layout}"), &packet, &frame);
                }
            }
        }
    }
}

crate::support::world::in_sandbox! {
    fn ipip_puts_an_outer_header_in_front() {
        let mut world = World::new();
        for address in ["10.0.0.11", "fd00::11"] {
            let address: IpAddr = address.parse().unwrap();
            world.set_target(TARGET, target(Mode::Ipip, address));
            every_kind(|name, packet, frame| {
                let expected = tunnelled(packet, frame, address);
                check(&mut world, &format!("ipip {address}: {name}"), packet, frame, &expected);
            });
        }
    }

    fn l2dsr_changes_the_macs() {
        let mut world = World::new();
        world.set_target(TARGET, target(Mode::L2dsr, [10, 0, 0, 11].into()));
        every_kind(|name, packet, frame| {
            let expected = frame.between(BALANCER_MAC, TARGET_MAC);
            check(&mut world, &format!("l2dsr: {name}"), packet, frame, &expected);
        });
    }

    fn the_outer_source_varies_with_the_flow_and_stays_within_it() {
        let mut world = World::new();
        let mut sources = BTreeSet::new();
        for source_port in 40_000..40_200 {
            let packet = Packet { source_port, ..Packet::new(Family::V4, TCP, PORT_TCP) };
            let mut of_flow = BTreeSet::new();
            for payload in [0, 100] {
                let frame = Packet { payload, ..packet.clone() }.frame();
                let outcome = world.run("flow", &frame.bytes());
                of_flow.insert(outcome.frame[26..30].to_vec());
            }
            assert_eq!(of_flow.len(), 1, "one flow, one source");
            sources.extend(of_flow);
        }
        assert!(sources.len() > 190, "{} sources of 200 flows", sources.len());
    }

    fn the_egress_interface_decides_between_transmit_and_redirect() {
        let mut world = World::new();
        let mut away = target(Mode::L2dsr, [10, 0, 0, 11].into());
        away.interface = INGRESS + 1;
        world.set_target(TARGET, away);
        let frame = Packet::new(Family::V4, TCP, PORT_TCP).frame();
        let (verdict, bytes) = world.run_host(&frame.bytes());
        assert_eq!(verdict, Verdict::Redirect(INGRESS + 1));
        // The interface is not in the map of devices: the kernel says XDP_ABORTED.
        let ran = world.kernel.run(&frame.bytes());
        assert_eq!((ran.action, &ran.frame), (0, &bytes));
        // In a network namespace of this thread, the first interface that is made has that number.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let made = std::process::Command::new("ip")
            .args(["link", "add", "out", "type", "veth", "peer", "name", "out-peer"])
            .status()
            .unwrap();
        assert!(made.success());
        let index = nix::net::if_::if_nametoindex("out").unwrap();
        away.interface = index;
        world.set_target(TARGET, away);
        let device = lb_userspace::plan::MapOp::PutDevice(index);
        lb_userspace::dataplane::MapStore::apply(&mut world.kernel.store, &device).unwrap();
        let outcome = world.run("redirect", &frame.bytes());
        assert_eq!(outcome.verdict, Verdict::Redirect(index));
        assert_eq!(outcome.frame, frame.between(BALANCER_MAC, TARGET_MAC));
    }

    fn what_does_not_fit_the_mtu_is_dropped() {
        let mut world = World::new();
        for (mode, address, overhead) in [
            (Mode::Ipip, "10.0.0.11", 20),
            (Mode::Ipip, "fd00::11", 40),
            (Mode::L2dsr, "10.0.0.11", 0),
        ] {
            world.set_target(TARGET, target(mode, address.parse().unwrap()));
            let room = 1500 - overhead - 40;
            let sized = |payload| Packet { payload, ..Packet::new(Family::V4, TCP, PORT_TCP) };
            let fits = world.run("fits", &sized(room).frame().bytes());
            assert_eq!(fits.verdict, Verdict::Transmit, "{mode:?} {address}");
            let frame = sized(room + 1).frame().bytes();
            let excess = world.run("too big", &frame);
            let reason = lb_common::DropReason::PacketTooBig;
            assert_eq!(excess.verdict, Verdict::Drop(reason), "{mode:?} {address}");
            assert_eq!(excess.frame, frame, "a dropped packet is unchanged");
            assert_eq!(excess.counted, [(reason.name().to_owned(), 1)].into());
        }
    }
}
