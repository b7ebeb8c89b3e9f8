//! Modes nat and fullnat: how flows get their bindings and lose them. On the host's build, which
//! packets agree on with the kernel's; the clock is the test's.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{
    Address, Be16, Counter, DropReason, Family, Listener, ListenerKey, Mode, Pool, RingRef, Slot,
    Switches, Target, head::HeadFields, listener::protocol,
};
use lb_ebpf::{
    Verdict,
    host::{MemoryTables, VecPacket},
};

use crate::{
    nat::{Plan, entry, plans},
    support::{
        frames::{Packet, TCP, UDP, VIP_V4, VIP_V6},
        random::Random,
        world::{PORT_TCP, PORT_UDP, fields},
    },
};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const GROUP: u16 = 6;
const BITS: u8 = 12;
pub(crate) const FIN_ACK: u8 = 0x11;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const SYN_ACK: u8 = 0x12;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const RST: u8 = 0x04;

/// Tables with that many bindings, or more: a power of two.
pub(crate) fn tables(plan: &Plan, count: u32) -> MemoryTables {
    let mut tables = MemoryTables {
        switches: Switches { flags: Switches::NAT, icmp_rate: 1 },
        ..MemoryTables::default()
    };
    tables.nat.count = count.next_power_of_two();
    if plan.mode == Mode::Fullnat {
        tables.nat.pools.insert(Pool::first_place(plan.family), pool(plan));
    }
    tables.now.set(1000 * SECOND);
    tables.targets.insert(GROUP, entry(plan));
    own(&mut tables, GROUP);
    tables.rings.insert(GROUP, RingRef::new(0, BITS));
    let vip = match plan.family {
        Family::V4 => Address::v4(VIP_V4),
        Family::V6 => Address::v6(VIP_V6),
    };
    let listeners = [
        (1, PORT_TCP, protocol::TCP),
        (2, PORT_UDP, protocol::UDP),
        (3, PORT_TCP + 1, protocol::TCP),
    ];
    for (id, port, protocol) in listeners {
        let key = ListenerKey::new(plan.family, vip, Be16::new(port), protocol);
        let listener = Listener { id, group: GROUP, idle_timeout: 350, flags: Listener::NAT };
        tables.listeners.insert(key, listener);
        tables.addresses.insert(key.vip(), 1);
    }
    tables
}

/// The pool of mode fullnat.
pub(crate) fn pool(plan: &Plan) -> Pool {
    Pool {
        address: plan.local.into(),
        family: plan.family as u8,
        first_port: 1024,
        count: 64_512,
        flags: Pool::READY,
        ..Pool::default()
    }
}

/// Gives every slot to a target.
pub(crate) fn own(tables: &mut MemoryTables, target: u16) {
    tables.slots = (0..1 << BITS).map(|slot| (slot, Slot::unarmed(target))).collect();
}

pub(crate) fn wait(tables: &MemoryTables, seconds: u64) {
    tables.now.set(tables.now.get() + seconds * SECOND);
}

/// A flow's client, by number.
pub(crate) fn client(plan: &Plan, protocol: u8, number: usize) -> Packet {
    let port = if protocol == TCP { PORT_TCP } else { PORT_UDP };
    let [high, low] = u16::try_from(number / 50_000).unwrap().to_be_bytes();
    let mut packet = Packet::new(plan.family, protocol, port);
    packet.source_port = u16::try_from(10_000 + number % 50_000).unwrap();
    packet.source = match plan.family {
        Family::V4 => [10, 9, high, low].into(),
        Family::V6 => [0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low].into(),
    };
    packet
}

pub(crate) fn with_flags(packet: &Packet, flags: u8) -> Vec<u8> {
    let mut frame = packet.frame();
    if packet.protocol == TCP {
        let header = if packet.family == Family::V4 { 20 } else { 40 };
        frame.ip[header + 13] = flags;
    }
    frame.bytes()
}

/// Source and source port that the target sees.
pub(crate) type Seen = (Vec<u8>, u16);

fn seen(frame: &[u8], family: Family) -> Seen {
    let (source, header) = match family {
        Family::V4 => (26..30, 34),
        Family::V6 => (22..38, 54),
    };
    let port = u16::from_be_bytes([frame[header], frame[header + 1]]);
    (frame[source].to_vec(), port)
}

pub(crate) fn send(tables: &MemoryTables, frame: &[u8], family: Family) -> Result<Seen, Verdict> {
    let mut packet = VecPacket::new(frame, 1);
    match lb_ebpf::process(&mut packet, tables) {
        Verdict::Transmit => Ok(seen(packet.bytes(), family)),
        other => Err(other),
    }
}

/// What the target answers, with these flags.
pub(crate) fn reply(
    tables: &MemoryTables,
    plan: &Plan,
    client: &Packet,
    seen: &Seen,
    flags: u8,
) -> bool {
    let mut answer = client.clone();
    (answer.source, answer.source_port) = (plan.target, 8080);
    answer.port = seen.1;
    answer.destination = match plan.family {
        Family::V4 => <[u8; 4]>::try_from(seen.0.as_slice()).unwrap().into(),
        Family::V6 => <[u8; 16]>::try_from(seen.0.as_slice()).unwrap().into(),
    };
    send(tables, &with_flags(&answer, flags), plan.family).is_ok()
}

pub(crate) fn counter(tables: &MemoryTables, reason: DropReason) -> u64 {
    tables.counters.borrow().get(&reason.index()).copied().unwrap_or(0)
}

/// Flows that find no port of one target among those that are tried, while nine of ten are taken: a thousandth of
/// all.
const UNLUCKY_MAX: usize = 120;

#[test]
fn one_port_serves_a_flow_to_each_target() {
    for plan in plans().iter().filter(|plan| plan.mode == Mode::Fullnat) {
        let mut tables = tables(plan, 200_000);
        let address = if plan.family == Family::V4 { "10.0.0.99" } else { "fd00::99" };
        let other = Plan { target: address.parse().unwrap(), ..*plan };
        tables.targets.insert(9, entry(&other));
        let count = 58_000;
        let mut unlucky = 0;
        for (target, plan, first) in [(GROUP, plan, 0), (9, &other, 60_000)] {
            own(&mut tables, target);
            let mut ports = BTreeSet::new();
            for number in first..first + count {
                let flow = client(plan, TCP, number);
                match send(&tables, &with_flags(&flow, SYN), plan.family) {
                    Ok(seen) => {
                        assert!(ports.insert(seen.1), "port {} twice", seen.1);
                        assert!(reply(&tables, plan, &flow, &seen, SYN_ACK));
                        send(&tables, &with_flags(&flow, ACK), plan.family).unwrap();
                    }
                    Err(refused) => {
                        assert_eq!(refused, Verdict::Drop(DropReason::PoolExhausted));
                        unlucky += 1;
                    }
                }
            }
            assert!(ports.len() + UNLUCKY_MAX > count, "{} ports", ports.len());
        }
        assert_eq!(counter(&tables, DropReason::PoolExhausted), unlucky);
        // All of them are still there.
        let created = tables.counters.borrow()[&Counter::FlowCreated.index()];
        assert_eq!(created + unlucky, 2 * count as u64);
        assert!(!tables.counters.borrow().contains_key(&Counter::FlowEvicted.index()));
    }
}

#[test]
fn ports_of_flows_that_have_not_begun_are_used_again() {
    for plan in plans().iter().filter(|plan| plan.mode == Mode::Fullnat) {
        let mut tables = tables(plan, 4096);
        let few = Pool { count: 200, ..pool(plan) };
        tables.nat.pools.insert(Pool::first_place(plan.family), few);
        let syn = |number| with_flags(&client(plan, TCP, number), SYN);
        let reached =
            (0..1000).filter(|number| send(&tables, &syn(*number), plan.family).is_ok()).count();
        assert!(reached >= 195, "{reached}");
        wait(&tables, 11);
        for number in 2000..2200 {
            let sent = send(&tables, &syn(number), plan.family);
            assert!(sent.is_ok(), "{number}: {sent:?}");
        }
    }
}

#[test]
fn a_flow_keeps_its_binding_until_it_ends() {
    for plan in plans() {
        let tables = tables(&plan, 1000);
        let flow = client(&plan, TCP, 1);
        let first = send(&tables, &with_flags(&flow, SYN), plan.family).unwrap();
        assert!(reply(&tables, &plan, &flow, &first, SYN_ACK));
        for _ in 0..20 {
            wait(&tables, 349);
            let other = client(&plan, TCP, 77);
            let _new = send(&tables, &with_flags(&other, SYN), plan.family);
            let again = send(&tables, &with_flags(&flow, ACK), plan.family).unwrap();
            assert_eq!(again, first, "{:?}", plan.mode);
        }
        // Both close; answers still come through, and a SYN goes to the same target, which knows
        // whether it begins another connection.
        assert!(reply(&tables, &plan, &flow, &first, FIN_ACK));
        send(&tables, &with_flags(&flow, FIN_ACK), plan.family).unwrap();
        assert!(reply(&tables, &plan, &flow, &first, ACK));
        let second = send(&tables, &with_flags(&flow, SYN), plan.family).unwrap();
        assert_eq!(second, first);
        assert!(reply(&tables, &plan, &flow, &second, SYN_ACK));
        // It lives like any other.
        send(&tables, &with_flags(&flow, ACK), plan.family).unwrap();
        assert!(reply(&tables, &plan, &flow, &first, ACK));
        wait(&tables, 349);
        assert_eq!(send(&tables, &with_flags(&flow, ACK), plan.family).unwrap(), first);
        // A target that takes no new connections gets no more of them.
        assert!(reply(&tables, &plan, &flow, &first, FIN_ACK));
        send(&tables, &with_flags(&flow, FIN_ACK), plan.family).unwrap();
        let mut tables = tables;
        let known = tables.targets[&GROUP];
        tables.targets.insert(GROUP, Target { flags: known.flags & !Target::ACCEPTING, ..known });
        let third = send(&tables, &with_flags(&flow, SYN), plan.family).unwrap();
        assert!(reply(&tables, &plan, &flow, &third, SYN_ACK));
    }
}

#[test]
fn a_reset_opens_no_flow_and_ends_an_existing_one() {
    for plan in plans() {
        let tables = tables(&plan, 1000);
        let flow = client(&plan, TCP, 1);
        let stray = send(&tables, &with_flags(&flow, RST), plan.family);
        assert_eq!(stray, Err(Verdict::Drop(DropReason::FlowUnknown)));
        let first = send(&tables, &with_flags(&flow, SYN), plan.family).unwrap();
        assert!(reply(&tables, &plan, &flow, &first, RST));
        // Nobody says anything more: its place is another's soon.
        wait(&tables, 11);
        for number in 2..300 {
            send(&tables, &with_flags(&client(&plan, TCP, number), SYN), plan.family).unwrap();
        }
        assert!(!reply(&tables, &plan, &flow, &first, ACK));
    }
}

#[test]
fn two_listeners_cannot_lead_one_client_port_to_one_target_port() {
    for plan in plans() {
        let tables = tables(&plan, 1000);
        let flow = client(&plan, TCP, 1);
        let other = Packet { port: PORT_TCP + 1, ..flow.clone() };
        send(&tables, &with_flags(&flow, SYN), plan.family).unwrap();
        let second = send(&tables, &with_flags(&other, SYN), plan.family);
        match plan.mode {
            Mode::Nat => {
                assert_eq!(second, Err(Verdict::Drop(DropReason::TupleTaken)));
                // Nothing is lost by it.
                wait(&tables, 20);
                for number in 0..2500 {
                    wait(&tables, 1);
                    let syn = with_flags(&client(&plan, TCP, number), SYN);
                    send(&tables, &syn, plan.family).unwrap();
                }
            }
            _ => assert!(second.is_ok()),
        }
    }
}

#[test]
fn a_target_that_is_gone_gets_nothing() {
    for plan in plans() {
        let mut tables = tables(&plan, 1000);
        let flow = client(&plan, UDP, 1);
        send(&tables, &with_flags(&flow, 0), plan.family).unwrap();
        let gone = Target { flags: Target::VALID | Target::RESOLVED, ..entry(&plan) };
        tables.targets.insert(GROUP, gone);
        let fields = fields(plan.mode, plan.target);
        let fields = HeadFields { destination_mac: [2, 0, 0, 0, 0, 9].into(), ..fields };
        let other = entry(&plan).by(&fields);
        tables.targets.insert(9, other);
        own(&mut tables, 9);
        let mut packet = VecPacket::new(&with_flags(&flow, 0), 1);
        assert_eq!(lb_ebpf::process(&mut packet, &tables), Verdict::Transmit);
        assert_eq!(packet.bytes()[..6], [2, 0, 0, 0, 0, 9], "{:?}", plan.mode);
    }
}

/// Flows that start, talk, close and fall silent, in random order.
#[test]
fn no_two_live_flows_share_a_tuple() {
    for (plan, seed) in plans().iter().flat_map(|plan| (0..20).map(move |seed| (*plan, seed))) {
        let tables = tables(&plan, 256);
        let mut random = Random::new(0x5eed + seed);
        // Flow to what the target sees, and the second of its last packet.
        let mut live: BTreeMap<usize, (Seen, u64)> = BTreeMap::new();
        let mut opened = 0;
        for step in 0..4000 {
            let name = format!("{:?} {:?} seed {seed} step {step}", plan.mode, plan.family);
            if random.below(8) == 0 {
                wait(&tables, random.below(4) as u64);
            }
            let now = tables.now.get() / SECOND;
            let number = random.below(400);
            let flow = client(&plan, TCP, number);
            let flags = match live.get(&number) {
                None => SYN,
                Some(_) if random.below(10) == 0 => FIN_ACK,
                Some(_) => ACK,
            };
            let Ok(seen) = send(&tables, &with_flags(&flow, flags), plan.family) else {
                assert!(flags == SYN, "{name}: a live flow was dropped");
                continue;
            };
            if flags == SYN {
                assert!(reply(&tables, &plan, &flow, &seen, SYN_ACK));
                // From here on its binding must not be taken.
                let opened = send(&tables, &with_flags(&flow, ACK), plan.family);
                assert_eq!(opened, Ok(seen.clone()), "{name}");
            }
            if let Some((known, last)) = live.get(&number) {
                assert!(*known == seen || now - last > 10, "{name}: a flow moved");
            } else {
                opened += 1;
            }
            let flags = if flags == SYN { ACK } else { flags };
            assert!(reply(&tables, &plan, &flow, &seen, flags));
            if flags == FIN_ACK {
                live.remove(&number);
                continue;
            }
            live.insert(number, (seen.clone(), now));
            // Those that are certainly still remembered.
            live.retain(|_, (_, last)| now - *last <= 60);
            let same = live.values().filter(|(other, _)| *other == seen).count();
            assert_eq!(same, 1, "{name}: {seen:?} twice");
        }
        assert!(opened > 100, "only {opened} flows");
    }
}
