//! What the modes write, for every kind of packet that goes to a target.

use std::{collections::BTreeSet, hash::Hasher as _, net::IpAddr};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, UdpHeader};
use lb_common::{Be16, Family, Mode, Target, head::HeadFields};
use lb_ebpf::Verdict;
use siphasher::sip::SipHasher13;

use crate::support::{
    frames::{
        BALANCER_MAC, CLIENT_V4, CLIENT_V6, Frame, Packet, TARGET_MAC, TCP, UDP, VIP_V4, VIP_V6,
        shown,
    },
    kernel::SEED,
    world::{INGRESS, PORT_TCP, PORT_UDP, Sides as _, TARGET, World, fields, target, target_by},
};

/// The flow hash as its paper has it, in numbers that do not overflow; its key by the crate siphasher.
pub(crate) fn flow_hash(packet: &Packet) -> u64 {
    let mut words: Vec<u32> = Vec::new();
    let mut add = |bytes: &[u8]| {
        words.extend(bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())));
    };
    let [ports, port] = [packet.source_port, packet.port].map(u16::to_be_bytes);
    add(&[ports, port].concat());
    add(&[packet.protocol, packet.family as u8, 0, 0]);
    let (client, vip) = match packet.family {
        Family::V4 => (CLIENT_V4.to_vec(), VIP_V4.to_vec()),
        Family::V6 => (CLIENT_V6.to_vec(), VIP_V6.to_vec()),
    };
    client.chunks(4).zip(vip.chunks(4)).for_each(|(one, other)| add(&[one, other].concat()));
    let key = |index: u64| {
        let mut hasher = SipHasher13::new_with_keys(SEED[0], SEED[1]);
        hasher.write(&index.to_le_bytes());
        u128::from(hasher.finish())
    };
    let pairs = words.chunks(2).zip((1..).step_by(2));
    let products = pairs.map(|(pair, first)| {
        (key(first) + u128::from(pair[1])) % (1 << 64)
            * ((key(first + 1) + u128::from(pair[0])) % (1 << 64))
            % (1 << 64)
    });
    let mut sum = u64::try_from((key(0) + products.sum::<u128>()) % (1 << 64)).unwrap();
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)] {
        sum = (sum ^ (sum >> shift)).wrapping_mul(factor);
    }
    sum ^ (sum >> 31)
}

/// How a tunnel wraps.
#[derive(Clone, Copy)]
pub(crate) enum Wrap {
    Ipip,
    /// UDP port, variant.
    Gue(u16, u8),
}

/// The UDP and GUE headers in front of `length` bytes, and the protocol number of the whole.
fn shim(wrap: Wrap, packet: &Packet, length: usize) -> (u8, Vec<u8>) {
    let number = match packet.family {
        Family::V4 => 4,
        Family::V6 => 41,
    };
    let Wrap::Gue(port, variant) = wrap else {
        return (number, Vec::new());
    };
    let gue = if variant == 0 { vec![0, number, 0, 0] } else { Vec::new() };
    let udp = UdpHeader {
        source_port: 0xc000 | ((flow_hash(packet) >> 16) & 0x3fff) as u16,
        destination_port: port,
        length: u16::try_from(8 + gue.len() + length).unwrap(),
        checksum: 0,
    };
    (17, [udp.to_bytes().to_vec(), gue].concat())
}

/// The frame with outer headers, by etherparse, towards a next hop with this tag.
pub(crate) fn tunnelled(
    packet: &Packet,
    frame: &Frame,
    target: IpAddr,
    wrap: Wrap,
    vlan: Option<u16>,
) -> Vec<u8> {
    let (protocol, shim) = shim(wrap, packet, frame.ip.len());
    let protocol = IpNumber(protocol);
    let flow = (flow_hash(packet) & 0xffff) as u16;
    let [high, low] = flow.to_be_bytes();
    let length = u16::try_from(shim.len() + frame.ip.len()).unwrap();
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
    ip.extend(&shim);
    ip.extend(&frame.ip);
    let outer = Frame { family, ip, ..frame.clone() };
    outer.towards(vlan)
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

/// Segments with options: name, whether it is a SYN, the MSS that it offers.
const SEGMENTS: &[(&str, bool, u16)] = &[
    ("larger", true, 1460),
    ("much larger", true, 65_535),
    ("equal", true, 1300),
    ("smaller", true, 536),
    ("not a SYN", false, 1460),
];

crate::support::world::in_sandbox! {
    fn ipip_puts_an_outer_header_in_front() {
        let mut world = World::new();
        for address in ["10.0.0.11", "fd00::11"] {
            let address: IpAddr = address.parse().unwrap();
            world.set_target(TARGET, target(Mode::Ipip, address));
            every_kind(|name, packet, frame| {
                let expected = tunnelled(packet, frame, address, Wrap::Ipip, None);
                check(&mut world, &format!("ipip {address}: {name}"), packet, frame, &expected);
            });
        }
    }

    fn gue_puts_ip_and_udp_in_front() {
        let mut world = World::new();
        for (address, variant) in
            [("10.0.0.11", 0), ("10.0.0.11", 1), ("fd00::11", 0), ("fd00::11", 1)]
        {
            let address: IpAddr = address.parse().unwrap();
            let (gue_port, gue_variant) = (Be16::new(6080 + 7), variant);
            let fields = HeadFields { gue_port, gue_variant, ..fields(Mode::Gue, address) };
            world.set_target(TARGET, target_by(&fields));
            every_kind(|name, packet, frame| {
                let wrap = Wrap::Gue(6080 + 7, variant);
                let expected = tunnelled(packet, frame, address, wrap, None);
                let name = format!("gue variant {variant} {address}: {name}");
                check(&mut world, &name, packet, frame, &expected);
            });
        }
    }

    fn the_tag_is_that_of_the_next_hop() {
        let mut world = World::new();
        let vlan = 0x6064;
        for (mode, address) in
            [(Mode::Ipip, "10.0.0.11"), (Mode::Ipip, "fd00::11"), (Mode::L2dsr, "10.0.0.11")]
        {
            let address: IpAddr = address.parse().unwrap();
            let tagged = HeadFields { vlan: Be16::new(vlan), ..fields(mode, address) };
            world.set_target(TARGET, target_by(&tagged));
            every_kind(|name, packet, frame| {
                let expected = match mode {
                    Mode::L2dsr => frame.towards(Some(vlan)),
                    _ => tunnelled(packet, frame, address, Wrap::Ipip, Some(vlan)),
                };
                check(&mut world, &format!("{mode:?} tagged {name}"), packet, frame, &expected);
            });
        }
    }

    fn syns_offer_no_larger_segments_than_allowed() {
        let mut world = World::new();
        for (mode, address) in
            [(Mode::Ipip, "10.0.0.11"), (Mode::Gue, "fd00::11"), (Mode::L2dsr, "10.0.0.11")]
        {
            let address: IpAddr = address.parse().unwrap();
            world.set_target(TARGET, Target { mss: 1300, ..target(mode, address) });
            for family in [Family::V4, Family::V6] {
                for (case, syn, offered) in SEGMENTS {
                    let segment = |mss| {
                        let packet = Packet::new(family, TCP, PORT_TCP);
                        packet.with_tcp_options(*syn, mss).frame().bytes()
                    };
                    let outcome = world.run(case, &segment(*offered));
                    let clamped = if *syn { (*offered).min(1300) } else { *offered };
                    // The packet at the end of the frame is the same but for the option.
                    let expected = segment(clamped);
                    let inner = &expected[14..];
                    let end = &outcome.frame[outcome.frame.len() - inner.len()..];
                    assert!(end == inner, "{mode:?} {case}\n{}\n{}", shown(&expected), shown(end));
                }
            }
        }
    }

    fn l2dsr_changes_the_macs() {
        let mut world = World::new();
        world.set_target(TARGET, target(Mode::L2dsr, [10, 0, 0, 11].into()));
        every_kind(|name, packet, frame| {
            let expected = frame.towards(None);
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
        let device = lb_plan::MapOp::PutDevice(index);
        lb_plan::MapStore::apply(&mut world.kernel.store, &device).unwrap();
        let outcome = world.run("redirect", &frame.bytes());
        assert_eq!(outcome.verdict, Verdict::Redirect(index));
        assert_eq!(outcome.frame, frame.between(BALANCER_MAC, TARGET_MAC));
    }

    fn what_does_not_fit_the_mtu_is_dropped() {
        let mut world = World::new();
        for (mode, address, gue_variant, overhead) in [
            (Mode::Ipip, "10.0.0.11", 0, 20),
            (Mode::Ipip, "fd00::11", 0, 40),
            (Mode::Gue, "10.0.0.11", 0, 32),
            (Mode::Gue, "fd00::11", 0, 52),
            (Mode::Gue, "10.0.0.11", 1, 28),
            (Mode::Gue, "fd00::11", 1, 48),
            (Mode::L2dsr, "10.0.0.11", 0, 0),
        ] {
            let fields = HeadFields { gue_variant, ..fields(mode, address.parse().unwrap()) };
            world.set_target(TARGET, target_by(&fields));
            let room = 1500 - overhead - 40;
            let sized = |payload| Packet { payload, ..Packet::new(Family::V4, TCP, PORT_TCP) };
            let fits = world.run("fits", &sized(room).frame().bytes());
            assert_eq!(fits.verdict, Verdict::Transmit, "{mode:?} {address}");
            let dropped = fits.counted.contains_key("packet_too_big");
            assert!(!dropped, "{mode:?} {address}, variant {gue_variant}: {:?}", fits.counted);
            let frame = sized(room + 1).frame().bytes();
            let excess = world.run("too big", &frame);
            assert_eq!(excess.verdict, Verdict::Transmit, "{mode:?} {address}: the answer");
            let counted = ["packet_too_big", "too_big_sent"].map(|name| (name.to_owned(), 1));
            assert_eq!(excess.counted, counted.into());
        }
    }
}
