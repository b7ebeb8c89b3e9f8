//! Modes nat and fullnat: what packets of clients and of targets become.

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::{
    Address, Be16, Family, Listener, ListenerKey, Mode, Pool, Switches, Target, listener::protocol,
};
use lb_ebpf::Verdict;
use lb_plan::{MapOp, MapStore as _};

use crate::{
    forwarding::{frames, kinds},
    icmp::errors_between,
    support::{
        frames::{
            BALANCER_MAC, CLIENT_MAC, Frame, Packet, TARGET_MAC, TCP, UDP, VIP_V4, VIP_V6, shown,
        },
        world::{Outcome, PORT_TCP, PORT_UDP, SWITCHES, Sides as _, World, target},
    },
};

/// Flags of a target that takes flows.
const TAKES: u16 = Target::ROUTABLE | Target::ACCEPTING;

/// The group and the target of these tests.
const ID: u16 = 6;

/// The port of the target: another than that of any listener.
const TARGET_PORT: u16 = 8080;

/// The first port of the pools of mode fullnat, and of most tests the only one: it serves a flow of TCP and one of
/// UDP.
const FIRST_PORT: u16 = 2000;

/// What the modes write.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) family: Family,
    pub(crate) target: IpAddr,
    /// The balancer's address in mode fullnat.
    pub(crate) local: IpAddr,
}

pub(crate) fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for mode in [Mode::Nat, Mode::Fullnat] {
        for (family, target, local) in
            [(Family::V4, "10.0.0.11", "10.0.0.2"), (Family::V6, "fd00::11", "fd00::2")]
        {
            let (target, local) = (target.parse().unwrap(), local.parse().unwrap());
            plans.push(Plan { mode, family, target, local });
        }
    }
    plans
}

/// The place of the pool of mode fullnat.
fn place(plan: &Plan) -> u8 {
    Pool::first_place(plan.family).try_into().unwrap()
}

/// The pool of mode fullnat, with so many ports.
fn pool(plan: &Plan, count: u32) -> Pool {
    Pool {
        address: plan.local.into(),
        family: plan.family as u8,
        first_port: FIRST_PORT,
        count,
        flags: Pool::READY,
        ..Pool::default()
    }
}

/// A target of the plan.
pub(crate) fn entry(plan: &Plan) -> Target {
    let base = target(plan.mode, plan.target);
    Target { flags: base.flags | TAKES, group: ID, port: Be16::new(TARGET_PORT), ..base }
}

/// Good frames of clients, targets and routers.
pub(crate) fn good(plan: &Plan) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for protocol in [TCP, UDP] {
        for (_, packet) in kinds(plan.family, protocol) {
            let packet = Packet { udp_checksum: true, ..packet };
            all.extend(frames(&packet).iter().map(|(_, frame)| frame.bytes()));
            let reply = answer(&translated(plan, &packet));
            all.push(reply.frame().between(TARGET_MAC, BALANCER_MAC));
        }
        let packet = plain(plan, protocol);
        let got = translated(plan, &packet);
        for offset in [0, 16] {
            let part = Packet {
                fragment: Some((offset, true)),
                extensions: vec![(44, 8)],
                payload: 64,
                ..packet.clone()
            };
            all.push(part.frame().bytes());
            let part = answer(&translated(plan, &part));
            all.push(part.frame().between(TARGET_MAC, BALANCER_MAC));
        }
        let sent = back(&packet, &answer(&got)).bytes();
        let to_vip = errors_between(plan.target, packet.destination, &sent);
        all.extend(to_vip.iter().map(|(_, frame)| frame.bytes()));
        let to_client = errors_between(plan.target, got.source, &got.bytes());
        all.extend(to_client.iter().map(|(_, frame)| frame.bytes()));
    }
    all
}

/// A world whose listeners forward in this mode, through one port in mode fullnat.
pub(crate) fn world(plan: &Plan) -> World {
    world_with_ports(plan, 1)
}

/// The same with so many ports.
pub(crate) fn world_with_ports(plan: &Plan, ports: u32) -> World {
    let mut world = World::new();
    world.set_switches(Switches { flags: SWITCHES.flags | Switches::NAT, ..SWITCHES });
    if plan.mode == Mode::Fullnat {
        world.add_pool(place(plan), pool(plan, ports));
    }
    world.set_target(ID, entry(plan));
    world.add_ring(ID, Some(ID));
    let vip = match plan.family {
        Family::V4 => Address::v4(VIP_V4),
        Family::V6 => Address::v6(VIP_V6),
    };
    for (id, port, protocol) in [(1, PORT_TCP, protocol::TCP), (2, PORT_UDP, protocol::UDP)] {
        let key = ListenerKey::new(plan.family, vip, Be16::new(port), protocol);
        let listener = Listener { id, group: ID, idle_timeout: 350, flags: Listener::NAT };
        world.add_listener(key, listener);
    }
    world.tick();
    world
}

/// The packet of a client as the target gets it.
pub(crate) fn translated(plan: &Plan, packet: &Packet) -> Packet {
    translated_from(plan, packet, FIRST_PORT)
}

/// The same, through this port in mode fullnat.
fn translated_from(plan: &Plan, packet: &Packet, port: u16) -> Packet {
    let mut out = Packet {
        destination: plan.target,
        port: TARGET_PORT,
        ttl: packet.ttl - 1,
        ..packet.clone()
    };
    if plan.mode == Mode::Fullnat {
        (out.source, out.source_port) = (plan.local, port);
    }
    out
}

/// What the target answers to what it got.
pub(crate) fn answer(got: &Packet) -> Packet {
    Packet {
        source: got.destination,
        destination: got.source,
        source_port: got.port,
        port: got.source_port,
        ttl: 64,
        syn: false,
        ..got.clone()
    }
}

/// The answer as the client gets it.
pub(crate) fn back(packet: &Packet, answer: &Packet) -> Packet {
    Packet {
        source: packet.destination,
        destination: packet.source,
        source_port: packet.port,
        port: packet.source_port,
        ttl: answer.ttl - 1,
        ..answer.clone()
    }
}

pub(crate) fn same(name: &str, outcome: &Outcome, expected: &[u8]) {
    assert_eq!(outcome.verdict, Verdict::Transmit, "{name}");
    assert!(
        outcome.frame == expected,
        "{name}\nexpected {}\ngot {}",
        shown(expected),
        shown(&outcome.frame)
    );
}

pub(crate) fn plain(plan: &Plan, protocol: u8) -> Packet {
    let port = if protocol == TCP { PORT_TCP } else { PORT_UDP };
    Packet { udp_checksum: true, ..Packet::new(plan.family, protocol, port) }
}

crate::support::world::in_sandbox! {
    fn packets_go_to_the_target_and_answers_come_back() {
        for plan in plans() {
            let mut world = world_with_ports(&plan, 40_000);
            let mut nth = 0;
            for protocol in [TCP, UDP] {
                let mut ports = BTreeSet::new();
                for (kind, packet) in kinds(plan.family, protocol) {
                    let source_port = 30_000 + nth;
                    let packet = Packet { source_port, udp_checksum: nth % 2 == 0, ..packet };
                    let mut port = None;
                    for (layout, frame) in frames(&packet) {
                        let name = format!("{:?} {:?} {kind} {layout}", plan.mode, plan.family);
                        let outcome = world.run(&name, &frame.bytes());
                        // The first packet says which port it is; it stays so.
                        let port = *port.get_or_insert_with(|| source_port_of(&outcome.frame, &packet));
                        let got = translated_from(&plan, &packet, port);
                        let expected =
                            Frame { ip: got.bytes(), ..frame.clone() }.towards(None);
                        same(&name, &outcome, &expected);
                        assert_eq!(outcome.counted["target 6 packets"], 1, "{name}");
                    }
                    let port = port.unwrap();
                    assert!(ports.insert(port), "{kind}: port {port} twice");
                    let got = translated_from(&plan, &packet, port);
                    let reply = answer(&got);
                    let outcome =
                        world.run(&kind, &reply.frame().between(TARGET_MAC, BALANCER_MAC));
                    // The last packet of the client was padded, but not tagged.
                    let expected = back(&packet, &reply).frame();
                    same(&kind, &outcome, &expected.between(BALANCER_MAC, CLIENT_MAC));
                    assert_eq!(outcome.counted, [("reply_forwarded".to_owned(), 1)].into());
                    nth += 1;
                }
            }
        }
    }

    fn answers_leave_with_the_tags_that_the_client_came_with() {
        for plan in plans() {
            for tags in [vec![(0x8100, 5)], vec![(0x88a8, 7), (0x8100, 9)]] {
                let mut world = world(&plan);
                world.set_target(ID, Target { vlan: Be16::new(12), ..entry(&plan) });
                let packet = plain(&plan, TCP);
                let frame = Frame { tags: tags.clone(), ..packet.frame() };
                let got = translated(&plan, &packet);
                same("request", &world.run("request", &frame.bytes()), &got.frame().towards(Some(12)));
                let reply = answer(&got);
                let tagged = Frame { tags: vec![(0x8100, 12)], ..reply.frame() };
                let outcome = world.run("reply", &tagged.between(TARGET_MAC, BALANCER_MAC));
                let expected = Frame { tags, ..back(&packet, &reply).frame() };
                same("reply", &outcome, &expected.between(BALANCER_MAC, CLIENT_MAC));
            }
        }
    }

    fn addresses_and_ports_come_and_go() {
        for plan in plans().iter().filter(|plan| plan.mode == Mode::Fullnat) {
            let mut world = world(plan);
            let number = place(plan);
            let packet = plain(plan, TCP);
            let frame = packet.frame().bytes();
            let port = |world: &mut World| {
                let ran = world.kernel.run(&frame);
                (ran.action == 3).then(|| source_port_of(&ran.frame, &packet))
            };
            let first_port = FIRST_PORT;
            let put = |world: &mut World, pool: Pool| {
                // As after a crash in the middle: it may come twice.
                for _ in 0..2 {
                    world.kernel.store.apply(&MapOp::PutPool { number, pool }).unwrap();
                    assert_eq!(world.kernel.store.read(None).unwrap().pools[&number], pool);
                }
            };
            assert_eq!(port(&mut world), Some(FIRST_PORT));
            // A wider range keeps what is open.
            let wide = Pool { first_port: 1024, count: 64_512, ..pool(plan, 1) };
            put(&mut world, wide);
            assert_eq!(port(&mut world), Some(FIRST_PORT));
            assert_eq!(world.kernel_counters()["flow_created"], 1);
            // One without its port ends it; it begins again.
            put(&mut world, Pool { first_port: first_port + 1, count: 1, ..wide });
            assert_eq!(port(&mut world), Some(FIRST_PORT + 1));
            assert_eq!(world.kernel_counters()["flow_created"], 2);
            // Another address in the place of this one.
            let local = if plan.family == Family::V4 { "10.0.0.77" } else { "fd00::77" };
            let address = local.parse::<IpAddr>().unwrap().into();
            put(&mut world, Pool { address, ..pool(plan, 1) });
            assert_eq!(port(&mut world), Some(FIRST_PORT));
            assert_eq!(world.kernel_counters()["flow_created"], 3);
            world.kernel.store.apply(&MapOp::RemovePool(number)).unwrap();
            assert!(world.kernel.store.read(None).unwrap().pools.is_empty());
            assert_eq!(port(&mut world), None, "nothing to take a port from");
            assert_eq!(world.kernel_counters()["pool_exhausted"], 1);
        }
    }

    fn fragments_are_translated_in_both_directions() {
        for plan in plans() {
            for protocol in [TCP, UDP] {
                let mut world = world(&plan);
                let whole = Packet { payload: 64, ..plain(&plan, protocol) };
                for (offset, more) in [(0, true), (16, true), (32, false)] {
                    let part = Packet {
                        fragment: Some((offset, more)),
                        extensions: vec![(44, 8)],
                        ..whole.clone()
                    };
                    let name = format!("{:?} {protocol} at {offset}", plan.mode);
                    let outcome = world.run(&name, &part.frame().bytes());
                    let got = translated(&plan, &part);
                    // Behind the first one, what the builder writes as ports is payload.
                    let mut expected = got.frame();
                    let header = expected.ip.len() - part.frame().ip.len() + headers(&part);
                    if offset > 0 {
                        let payload = part.frame().ip[headers(&part)..].to_vec();
                        expected.ip.truncate(header);
                        expected.ip.extend(payload);
                    }
                    same(&name, &outcome, &expected.towards(None));

                    let reply = answer(&got);
                    let outcome = world.run(&name, &reply.frame().between(TARGET_MAC, BALANCER_MAC));
                    let mut expected = back(&part, &reply).frame();
                    if offset > 0 {
                        let payload = reply.frame().ip[headers(&part)..].to_vec();
                        expected.ip.truncate(headers(&part));
                        expected.ip.extend(payload);
                    }
                    same(&name, &outcome, &expected.between(BALANCER_MAC, CLIENT_MAC));
                }
            }
        }
    }
}

/// The source port of an untagged frame with the headers of this packet.
fn source_port_of(frame: &[u8], packet: &Packet) -> u16 {
    let at = 14 + headers(packet);
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

/// Length of the IP header and what belongs to it.
fn headers(packet: &Packet) -> usize {
    match packet.family {
        Family::V4 => 20 + packet.options.len(),
        Family::V6 => 40 + packet.extensions.iter().map(|(_, length)| length).sum::<usize>(),
    }
}
