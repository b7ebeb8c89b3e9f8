//! What is remembered of flows: in armed slots, for listeners that track all, and never else.

use std::{net::IpAddr, time::Instant};

use lb_common::{
    Be16, Counter, DropReason, Family, Listener, ListenerKey, Mode, Slot, Target, limits,
};
use lb_ebpf::Verdict;

use crate::support::{
    frames::{BALANCER_MAC, CLIENT_MAC, Frame, Packet, TCP, UDP},
    world::{Outcome, PORT_TCP, PORT_UDP, Sides as _, World, in_sandbox, target},
};

const GROUP: u16 = 7;
/// The previous owner of the slots, the current one, and a third one.
const HOME: u16 = 6;
const CURRENT: u16 = 7;
const OTHER: u16 = 8;

const PORT: u16 = 90;
const TIMEOUT: u16 = 350;

const READY: u16 = Target::VALID | Target::RESOLVED | Target::ROUTABLE | Target::ACCEPTING;

fn armed(current: u16, home: u16, epoch: u16) -> Slot {
    Slot { current, home, epoch, flags: Slot::ARMED }
}

fn put(world: &mut World, id: u16, flags: u16) {
    let address: IpAddr = [10, 0, 0, u8::try_from(id).unwrap()].into();
    let target = Target { flags, group: GROUP, ..target(Mode::Ipip, address) };
    world.set_target(id, target);
}

/// A listener of each family with these flags, on a ring of this slot.
pub(crate) fn world(protocol: u8, flags: u16, slot: Slot) -> World {
    let mut world = World::new();
    world.tick();
    for id in [HOME, CURRENT, OTHER] {
        put(&mut world, id, READY);
    }
    world.add_ring(GROUP, Some(CURRENT));
    world.set_slots(GROUP, slot);
    for (family, id) in [(Family::V4, 8), (Family::V6, 108)] {
        let key = ListenerKey::new(
            family,
            Packet::new(family, protocol, PORT).destination.into(),
            Be16::new(PORT),
            protocol,
        );
        world.add_listener(key, Listener { id, group: GROUP, idle_timeout: TIMEOUT, flags });
    }
    world
}

/// The listeners of every test, with slots in every state, memory and resets.
pub(crate) fn every_state() -> World {
    let mut world = World::new();
    for id in [HOME, CURRENT, OTHER] {
        put(&mut world, id, READY);
    }
    let base = 1 << 12;
    for index in base..base + (1 << 12) {
        let slot = match index % 5 {
            0 => Slot::unarmed(HOME),
            1 => armed(CURRENT, HOME, 1),
            2 => armed(OTHER, 0, 3),
            3 => armed(CURRENT, CURRENT, 2),
            _ => armed(0, OTHER, 1),
        };
        world.set_slot(index, slot);
    }
    let flags = [
        (PORT_TCP, TCP, Listener::RESETS),
        (PORT_UDP, UDP, Listener::TRACKED),
        (PORT, UDP, Listener::QUIC),
    ];
    for (family, first) in [(Family::V4, 9), (Family::V6, 109)] {
        for (id, (port, protocol, flags)) in (first..).zip(flags) {
            let vip = Packet::new(family, protocol, port).destination.into();
            let key = ListenerKey::new(family, vip, Be16::new(port), protocol);
            world.add_listener(key, Listener { id, group: 1, idle_timeout: TIMEOUT, flags });
        }
    }
    world
}

/// Changes what targets take, and a quarter of the epochs.
pub(crate) fn change(world: &mut World, number: u16) {
    let flags = [READY, READY & !Target::ACCEPTING, Target::VALID | Target::RESOLVED];
    for id in [HOME, CURRENT, OTHER] {
        put(world, id, flags[usize::from((id + number) % 3)]);
    }
    let base = 1 << 12;
    for index in (base + 1..base + (1 << 12)).step_by(20) {
        world.set_slot(index, armed(CURRENT, HOME, number + 2));
    }
}

fn packet(family: Family, client_port: u16, syn: bool) -> Packet {
    Packet { source_port: client_port, syn, ..Packet::new(family, TCP, PORT) }
}

fn datagram(client_port: u16) -> Packet {
    Packet { source_port: client_port, ..Packet::new(Family::V4, UDP, PORT) }
}

fn run(world: &mut World, packet: &Packet) -> Outcome {
    world.tick();
    world.run("memory", &packet.frame().bytes())
}

/// The target that a packet goes to; the same one in the kernel.
#[track_caller]
fn goes(world: &mut World, packet: &Packet, target: u16) -> Outcome {
    let outcome = run(world, packet);
    let there = format!("target {target} packets");
    assert_eq!(outcome.counted.get(&there), Some(&1), "{packet:?} became {outcome:?}");
    outcome
}

fn count(outcome: &Outcome, counter: Counter) -> u64 {
    outcome.counted.get(counter.name()).copied().unwrap_or(0)
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

in_sandbox! {
    fn a_new_flow_is_remembered_and_an_old_one_stays_at_home() {
        let mut world = world(TCP, 0, armed(CURRENT, HOME, 1));
        for family in FAMILIES {
            let opening = goes(&mut world, &packet(family, 1, true), CURRENT);
            assert_eq!(count(&opening, Counter::FlowRemembered), 1);
            let next = goes(&mut world, &packet(family, 1, false), CURRENT);
            assert_eq!(count(&next, Counter::FlowRemembered), 0);
            let old = goes(&mut world, &packet(family, 2, false), HOME);
            assert_eq!(count(&old, Counter::FlowRemembered), 0);
        }
        // The ring changes again: what is remembered stays where it is, also when it sends SYN.
        world.set_slots(GROUP, armed(OTHER, HOME, 1));
        for family in FAMILIES {
            goes(&mut world, &packet(family, 1, false), CURRENT);
            goes(&mut world, &packet(family, 1, true), CURRENT);
            goes(&mut world, &packet(family, 2, false), HOME);
            goes(&mut world, &packet(family, 3, true), OTHER);
            goes(&mut world, &packet(family, 3, false), OTHER);
        }
        // The next time that the slot is armed, nothing of this counts any more.
        world.set_slots(GROUP, armed(HOME, OTHER, 2));
        for family in FAMILIES {
            goes(&mut world, &packet(family, 1, false), OTHER);
            let over = goes(&mut world, &packet(family, 1, true), HOME);
            assert_eq!(count(&over, Counter::FlowRemembered), 1, "written over the older entry");
            goes(&mut world, &packet(family, 1, false), HOME);
        }
    }

    fn nothing_goes_to_a_target_that_is_gone_and_nothing_new_to_one_that_drains() {
        let mut world = world(TCP, 0, armed(CURRENT, HOME, 1));
        let family = Family::V4;
        for client_port in 1..=3 {
            goes(&mut world, &packet(family, client_port, true), CURRENT);
        }
        world.set_slots(GROUP, armed(OTHER, HOME, 1));
        // It drains.
        put(&mut world, CURRENT, READY & !Target::ACCEPTING);
        goes(&mut world, &packet(family, 1, false), CURRENT);
        goes(&mut world, &packet(family, 2, true), OTHER);
        goes(&mut world, &packet(family, 2, false), OTHER);
        // It is dead.
        put(&mut world, CURRENT, Target::VALID | Target::RESOLVED);
        goes(&mut world, &packet(family, 1, false), HOME);
        goes(&mut world, &packet(family, 3, true), OTHER);
        goes(&mut world, &packet(family, 3, false), OTHER);
        // So is the home.
        put(&mut world, HOME, Target::VALID | Target::RESOLVED);
        goes(&mut world, &packet(family, 4, false), OTHER);
        // It is no more.
        put(&mut world, HOME, 0);
        goes(&mut world, &packet(family, 4, false), OTHER);
        // Nobody takes new flows; the home takes those that it has.
        put(&mut world, HOME, READY & !Target::ACCEPTING);
        world.set_slots(GROUP, armed(0, HOME, 1));
        goes(&mut world, &packet(family, 5, false), HOME);
        let refused = run(&mut world, &packet(family, 5, true));
        assert_eq!(refused.verdict, Verdict::Drop(DropReason::NoTarget));
        goes(&mut world, &packet(family, 5, false), HOME);
    }

    fn parts_and_errors_follow_their_flow_and_teach_nothing() {
        let mut world = world(TCP, 0, armed(CURRENT, HOME, 1));
        let family = Family::V4;
        let whole = packet(family, 1, true);
        let first = Packet { fragment: Some((0, true)), payload: 20, ..whole.clone() };
        goes(&mut world, &first, CURRENT);
        let later = Packet { fragment: Some((5, false)), ..whole };
        goes(&mut world, &later, CURRENT);
        goes(&mut world, &packet(family, 1, false), CURRENT);
        // The first fragment of an older flow, and a later one.
        let old = Packet { identification: 7, syn: false, source_port: 2, ..first };
        goes(&mut world, &old, HOME);
        goes(&mut world, &Packet { identification: 7, source_port: 2, ..later }, HOME);
    }

    fn a_listener_that_tracks_remembers_every_flow() {
        let mut world = world(UDP, Listener::TRACKED, Slot::unarmed(HOME));
        let first = goes(&mut world, &datagram(1), HOME);
        assert_eq!(count(&first, Counter::FlowRemembered), 1);
        let second = goes(&mut world, &datagram(1), HOME);
        assert_eq!(count(&second, Counter::FlowRemembered), 0);
        world.set_slots(GROUP, Slot::unarmed(CURRENT));
        goes(&mut world, &datagram(1), HOME);
        goes(&mut world, &datagram(2), CURRENT);
        put(&mut world, HOME, Target::VALID | Target::RESOLVED);
        goes(&mut world, &datagram(1), CURRENT);
        put(&mut world, HOME, READY);
        goes(&mut world, &datagram(1), CURRENT);
    }

    fn a_listener_that_does_not_track_remembers_none() {
        let mut world = world(UDP, 0, Slot::unarmed(HOME));
        goes(&mut world, &datagram(1), HOME);
        world.set_slots(GROUP, Slot::unarmed(CURRENT));
        goes(&mut world, &datagram(1), CURRENT);
    }

    fn all_flows_of_a_sticky_client_have_one_slot() {
        for (flags, slots) in [(Listener::STICKY, 1), (0, 40)] {
            let mut world = world(TCP, flags, Slot::unarmed(CURRENT));
            // Every second slot is another's.
            let base = u32::from(GROUP) << 12;
            for index in (base..base + (1 << 12)).step_by(2) {
                world.set_slot(index, Slot::unarmed(OTHER));
            }
            for family in FAMILIES {
                let mut to_other = 0;
                for client_port in 1..=200 {
                    let outcome = run(&mut world, &packet(family, client_port, true));
                    to_other += outcome.counted.get("target 8 packets").copied().unwrap_or(0);
                }
                let lesser = to_other.min(200 - to_other);
                assert!((slots == 1) == (lesser == 0), "{flags}: {to_other} of 200");
                assert!(slots == 1 || lesser >= slots, "{flags}: {to_other} of 200");
            }
        }
    }

    fn a_quic_initial_opens_a_flow() {
        let payloads: &[(&str, &[u8], bool)] = &[
            ("version 1, Initial", &[0xc3, 0, 0, 0, 1, 8], true),
            ("version 1, 0-RTT", &[0xd3, 0, 0, 0, 1, 8], false),
            ("version 1, Handshake", &[0xe3, 0, 0, 0, 1, 8], false),
            ("version 2, Initial", &[0xd3, 0x6b, 0x33, 0x43, 0xcf, 8], true),
            ("version 2, Retry", &[0xc3, 0x6b, 0x33, 0x43, 0xcf, 8], false),
            ("an unknown version, Initial", &[0xcf, 0xff, 0, 0, 9, 8], true),
            ("short header", &[0x43, 1, 2, 3, 4, 5], false),
            ("cut off", &[0xc3, 0], false),
        ];
        let mut world = world(UDP, Listener::QUIC, armed(CURRENT, HOME, 1));
        for (client_port, (name, payload, opens)) in (1..).zip(payloads) {
            for family in FAMILIES {
                let packet = Packet {
                    source_port: client_port,
                    payload: payload.len(),
                    ..Packet::new(family, UDP, PORT)
                };
                let mut frame = packet.frame().bytes();
                let start = frame.len() - payload.len();
                frame[start..].copy_from_slice(payload);
                world.tick();
                let outcome = world.run(name, &frame);
                let there = format!("target {} packets", if *opens { CURRENT } else { HOME });
                assert_eq!(outcome.counted.get(&there), Some(&1), "{name}: {outcome:?}");
                assert_eq!(count(&outcome, Counter::FlowRemembered), u64::from(*opens), "{name}");
            }
        }
    }

    fn flows_of_a_target_that_is_gone_are_reset() {
        let mut world = world(TCP, Listener::RESETS, armed(CURRENT, 0, 1));
        for family in FAMILIES {
            let mut lost = packet(family, 1, false);
            let outcome = run(&mut world, &lost);
            assert_eq!(outcome.verdict, Verdict::Transmit);
            assert_eq!(count(&outcome, Counter::ResetSent), 1);
            assert_eq!(outcome.frame, reset(&lost));
            // Packets without an answer continue.
            for flags in [0x04, 0x14] {
                let mut frame = lost.frame().bytes();
                let flags_at = frame.len() - lost.payload - 20 + 13;
                frame[flags_at] = flags;
                world.tick();
                let outcome = world.run("a reset", &frame);
                assert_eq!(outcome.counted.get("target 7 packets"), Some(&1), "{outcome:?}");
            }
            // New flows begin, and live.
            lost.syn = true;
            goes(&mut world, &lost, CURRENT);
            lost.syn = false;
            goes(&mut world, &lost, CURRENT);
            // One that is remembered with a target that dies.
            put(&mut world, CURRENT, Target::VALID | Target::RESOLVED);
            world.set_slots(GROUP, armed(OTHER, 0, 1));
            assert_eq!(run(&mut world, &lost).frame, reset(&lost));
            put(&mut world, CURRENT, READY);
            world.set_slots(GROUP, armed(CURRENT, 0, 1));
        }
        world.set_switches(lb_common::Switches { flags: 0, icmp_rate: 0 });
        let silent = run(&mut world, &packet(Family::V4, 9, false));
        assert_eq!(silent.verdict, Verdict::Drop(DropReason::ResetRateLimited));
    }

    fn beyond_the_budget_new_flows_go_home() {
        let mut world = world(TCP, 0, armed(CURRENT, HOME, 1));
        let rate = limits::REMEMBER_RATE;
        let frame = |number: u32| {
            let [_, a, b, c] = number.to_be_bytes();
            let packet = Packet { source: [10, a, b, c].into(), ..packet(Family::V4, 5, true) };
            packet.frame().bytes()
        };
        // The host's clock stands still.
        for number in 0..rate + 3 {
            let _verdict = world.run_host(&frame(number));
        }
        let counted = world.host_counters();
        assert_eq!(counted["flow_remembered"], u64::from(rate));
        assert_eq!(counted["flow_not_remembered"], 3);
        assert_eq!(counted["target 6 packets"], 3);
        // The kernel's does not.
        let begun = Instant::now();
        for number in 0..4 * rate {
            world.kernel.run(&frame(number));
        }
        let counted = world.kernel_counters();
        let refused = counted.get("flow_not_remembered").copied().unwrap_or(0);
        // Each second that has begun has a budget of its own: three in less than two seconds.
        assert!(refused > 0 || begun.elapsed().as_secs() >= 2, "all were remembered");
        println!("{refused} of {} were not remembered", 4 * rate);
        assert_eq!(counted["flow_remembered"] + refused, u64::from(4 * rate));
        assert_eq!(counted.get("target 6 packets").copied().unwrap_or(0), refused);
    }

    fn the_steady_state_reads_and_writes_no_flow_state() {
        for mode in [Mode::Ipip, Mode::Gue, Mode::L2dsr] {
            let mut world = World::new();
            world.set_target(1, target(mode, [10, 0, 0, 11].into()));
            for family in FAMILIES {
                for client_port in 1..=1000 {
                    for syn in [true, false] {
                        let port = PORT_TCP;
                        run(&mut world, &Packet { port, ..packet(family, client_port, syn) });
                    }
                }
            }
            assert_eq!(world.host_counters()["target 1 packets"], 4000);
            assert_eq!(world.host.memory.accesses.get(), 0, "{mode:?}");
            assert_eq!(world.kernel.memory_in_use(), 0, "{mode:?}");
        }
        // The same count sees what an armed slot does.
        let mut world = world(TCP, 0, armed(CURRENT, HOME, 1));
        goes(&mut world, &packet(Family::V4, 1, true), CURRENT);
        assert!(world.host.memory.accesses.get() > 0);
        assert_eq!(world.kernel.memory_in_use(), 1);
    }
}

/// The RST that answers a segment (RFC 9293, section 3.10.7.1).
fn reset(lost: &Packet) -> Vec<u8> {
    let mut tcp = etherparse::TcpHeader::new(lost.port, lost.source_port, 0, 0);
    tcp.rst = true;
    let (from, to) = (lost.destination, lost.source);
    // What the segment acknowledges.
    tcp.sequence_number = 0;
    let mut ip = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            tcp.checksum = tcp.calc_checksum_ipv4_raw(from.octets(), to.octets(), &[]).unwrap();
            let protocol = etherparse::IpNumber::TCP;
            let header =
                etherparse::Ipv4Header::new(20, 64, protocol, from.octets(), to.octets()).unwrap();
            header.write(&mut ip).unwrap();
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            tcp.checksum = tcp.calc_checksum_ipv6_raw(from.octets(), to.octets(), &[]).unwrap();
            let header = etherparse::Ipv6Header {
                payload_length: 20,
                next_header: etherparse::IpNumber::TCP,
                hop_limit: 64,
                source: from.octets(),
                destination: to.octets(),
                ..etherparse::Ipv6Header::default()
            };
            header.write(&mut ip).unwrap();
        }
        _ => panic!("two families in one packet"),
    }
    ip.extend(tcp.to_bytes());
    Frame::new(lost.family, ip).between(BALANCER_MAC, CLIENT_MAC)
}
