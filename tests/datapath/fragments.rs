//! Fragments: they follow the first one, and hostile ones are dropped with their reason.

use std::net::IpAddr;

use aya::maps::{HashMap, Map, MapData};
use lb_common::{Family, FragmentFlow, FragmentKey, Mode, abi::map, limits::FRAGMENTS_MAX};
use lb_ebpf::Verdict;

use crate::{
    forwarding::{Wrap, tunnelled},
    support::{
        frames::{Packet, TCP, UDP, shown},
        world::{Outcome, PORT_TCP, PORT_UDP, Sides as _, TARGET, World, target},
    },
};

/// A fragment, with a fragment header in IPv6: offset in units of 8 bytes, "more", identification.
fn fragment(family: Family, protocol: u8, offset: u16, more: bool, identification: u32) -> Packet {
    Packet {
        fragment: Some((offset, more)),
        identification,
        extensions: vec![(44, 8)],
        payload: 104,
        ..Packet::new(family, protocol, if protocol == TCP { PORT_TCP } else { PORT_UDP })
    }
}

fn counted(outcome: &Outcome, name: &str) -> u64 {
    outcome.counted.get(name).copied().unwrap_or(0)
}

fn drops(world: &mut World, name: &str, packet: &Packet, reason: &str) {
    let frame = packet.frame().bytes();
    let outcome = world.run(name, &frame);
    assert!(matches!(outcome.verdict, Verdict::Drop(_)), "{name}: {:?}", outcome.verdict);
    assert_eq!(outcome.counted, [(reason.to_owned(), 1)].into(), "{name}");
    assert_eq!(outcome.frame, frame, "{name}: a dropped packet is unchanged");
}

crate::support::world::in_sandbox! {
    fn later_fragments_go_where_the_first_one_went() {
        let mut world = World::new();
        for (mode, address) in [(Mode::Ipip, "10.0.0.11"), (Mode::L2dsr, "10.0.0.11")] {
            let address: IpAddr = address.parse().unwrap();
            world.set_target(TARGET, target(mode, address));
            for family in [Family::V4, Family::V6] {
                for protocol in [TCP, UDP] {
                    for (offset, more) in [(0, true), (13, true), (26, false)] {
                        let packet = fragment(family, protocol, offset, more, 7);
                        let frame = packet.frame();
                        let name = format!("{mode:?} {family:?} {protocol} at {offset}");
                        let outcome = world.run(&name, &frame.bytes());
                        let expected = match mode {
                            Mode::L2dsr => frame.towards(None),
                            _ => tunnelled(&packet, &frame, address, Wrap::Ipip, None),
                        };
                        assert!(outcome.frame == expected, "{name}: {}", shown(&outcome.frame));
                        assert_eq!(outcome.verdict, Verdict::Transmit, "{name}");
                        assert_eq!(counted(&outcome, "fragment_forwarded"), 1, "{name}");
                        assert_eq!(counted(&outcome, "target 1 packets"), 1, "{name}");
                    }
                }
            }
        }
    }

    fn fragments_without_a_first_one_are_dropped() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let first = fragment(family, UDP, 0, true, 1);
            world.run("first", &first.frame().bytes());
            let other = fragment(family, UDP, 13, true, 2);
            drops(&mut world, "another packet's", &other, "fragment_unmatched");
            let mut elsewhere = other.frame();
            let last = if family == Family::V4 { 19 } else { 39 };
            elsewhere.ip[last] ^= 0x40;
            let outcome = world.run("no VIP", &elsewhere.bytes());
            assert_eq!((outcome.verdict, outcome.counted.len()), (Verdict::Pass, 0));
        }
        // IPv4 identifies a packet by its protocol, too.
        let tcp = fragment(Family::V4, TCP, 13, true, 1);
        drops(&mut world, "another protocol's", &tcp, "fragment_unmatched");
    }

    fn what_would_overwrite_the_tcp_header_is_dropped() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            world.run("first", &fragment(family, TCP, 0, true, 1).frame().bytes());
            for offset in [1, 2] {
                let overlap = fragment(family, TCP, offset, true, 1);
                drops(&mut world, "overlap", &overlap, "fragment_overlap");
            }
            let behind = fragment(family, TCP, 3, true, 1).frame().bytes();
            assert_eq!(world.run("behind", &behind).verdict, Verdict::Transmit);
            // UDP's header is whole in the 8 bytes that every first fragment has.
            world.run("first", &fragment(family, UDP, 0, true, 2).frame().bytes());
            let udp = fragment(family, UDP, 1, true, 2).frame().bytes();
            assert_eq!(world.run("udp", &udp).verdict, Verdict::Transmit);
        }
    }

    fn a_first_fragment_must_have_its_whole_header() {
        let mut world = World::new();
        for (family, header) in [(Family::V4, 20), (Family::V6, 48)] {
            let mut frame = fragment(family, TCP, 0, true, 1).frame();
            frame.ip.truncate(header + 16);
            let length = u16::try_from(if family == Family::V4 { header + 16 } else { 24 }).unwrap();
            let at = if family == Family::V4 { 2 } else { 4 };
            frame.ip[at..at + 2].copy_from_slice(&length.to_be_bytes());
            let outcome = world.run("tiny", &frame.bytes());
            assert_eq!(counted(&outcome, "transport_header_malformed"), 1, "{family:?}");
        }
    }

    fn fragments_of_other_protocols_are_the_host_s() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            for (offset, more) in [(0, true), (13, false)] {
                let packet = fragment(family, 50, offset, more, 3);
                let frame = packet.frame().bytes();
                let outcome = world.run("neither tcp nor udp", &frame);
                assert_eq!((outcome.verdict, &outcome.frame), (Verdict::Pass, &frame));
                assert_eq!(counted(&outcome, "fragment_passed"), 1);
            }
        }
    }

    fn a_flood_of_first_fragments_is_bounded() {
        let mut world = World::new();
        let flood = u32::try_from(2 * FRAGMENTS_MAX).unwrap();
        for identification in 0..flood {
            let first = fragment(Family::V4, UDP, 0, true, identification).frame().bytes();
            assert_eq!(world.kernel.run(&first).action, 3);
        }
        let data = MapData::from_pin(world.kernel.folder.join(map::FRAGMENTS)).unwrap();
        let map: HashMap<MapData, FragmentKey, FragmentFlow> =
            Map::from_map_data(data).unwrap().try_into().unwrap();
        let remembered = map.keys().count();
        assert!(remembered <= FRAGMENTS_MAX, "{remembered}");
        // The newest are among them.
        let later = fragment(Family::V4, UDP, 13, true, flood - 1).frame().bytes();
        assert_eq!(world.kernel.run(&later).action, 3);
    }

    fn what_a_first_fragment_teaches_ends() {
        let world = World::new();
        let second = 1_000_000_000;
        world.host.now.set(1000 * second);
        let send = |world: &World, offset| {
            let frame = fragment(Family::V4, UDP, offset, true, 1).frame().bytes();
            world.run_host(&frame).0
        };
        assert_eq!(send(&world, 0), Verdict::Transmit);
        world.host.now.set(1030 * second);
        assert_eq!(send(&world, 13), Verdict::Transmit);
        world.host.now.set(1031 * second);
        assert!(matches!(send(&world, 13), Verdict::Drop(_)));
    }
}
