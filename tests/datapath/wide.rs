//! Listeners on port ranges and prefixes.

use lb_common::{Address, Family, Listener, PortRange, WideKey, WideListeners, listener::protocol};
use lb_ebpf::Verdict;
use lb_plan::WidePrefix;

use crate::support::{
    frames::{Packet, TCP, UDP, VIP_V4, VIP_V6},
    world::{PORT_TCP, Sides as _, World},
};

fn range(id: u16, protocol: u8, first: u16, last: u16) -> PortRange {
    let listener = Listener { id, group: 1, idle_timeout: 350, flags: 0 };
    PortRange { first, last, protocol: protocol.into(), reserved: 0, listener }
}

/// The prefix of a VIP with this many bits.
fn prefix(family: Family, bits: u32) -> WidePrefix {
    let (address, all) = match family {
        Family::V4 => (Address::v4(VIP_V4), 32),
        Family::V6 => (Address::v6(VIP_V6), 128),
    };
    let mut key = WideKey::new(family, address);
    for bit in bits..all {
        key.address[bit as usize / 8] &= !(0x80 >> (bit % 8));
    }
    WidePrefix { length: WideKey::FAMILY_BITS + bits, key }
}

fn listeners(ranges: &[PortRange]) -> WideListeners {
    let mut all = WideListeners::default();
    all.ranges[..ranges.len()].copy_from_slice(ranges);
    all
}

/// The listener that a packet is counted for; `None` when it passes.
fn found(world: &mut World, packet: &Packet, last_byte: u8) -> Option<u16> {
    let mut frame = packet.frame();
    let last = if packet.family == Family::V4 { 19 } else { 39 };
    frame.ip[last] = last_byte;
    let outcome = world.run("wide", &frame.bytes());
    if outcome.verdict == Verdict::Pass {
        assert!(outcome.counted.is_empty());
        return None;
    }
    assert_eq!(outcome.verdict, Verdict::Transmit);
    let ids = (1..8).chain(100..108);
    let mut ids = ids.filter(|id| outcome.counted.contains_key(&format!("listener {id} packets")));
    let id = ids.next();
    assert!(id.is_some() && ids.next().is_none(), "{:?}", outcome.counted);
    id
}

crate::support::world::in_sandbox! {
    fn the_most_specific_listener_is_found() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let (host, around) = if family == Family::V4 { (32, 24) } else { (128, 64) };
            let all = range(5, protocol::TCP, 1, 65_535);
            world.set_wide(prefix(family, around), listeners(&[all]));
            let (low, udp) = (range(6, protocol::TCP, 8000, 8099), range(7, protocol::UDP, 9, 9));
            world.set_wide(prefix(family, host), listeners(&[low, udp, all]));
            let vip = if family == Family::V4 { VIP_V4[3] } else { VIP_V6[15] };
            let exact = if family == Family::V4 { 1 } else { 101 };
            for (protocol, port, last, expected) in [
                (TCP, PORT_TCP, vip, Some(exact)),
                (TCP, 7999, vip, Some(5)),
                (TCP, 8000, vip, Some(6)),
                (TCP, 8099, vip, Some(6)),
                (TCP, 8100, vip, Some(5)),
                (UDP, 9, vip, Some(7)),
                (UDP, 10, vip, None),
                (TCP, PORT_TCP, vip + 1, Some(5)),
                (TCP, 8000, vip + 1, Some(5)),
                (UDP, 9, vip + 1, None),
            ] {
                let packet = Packet::new(family, protocol, port);
                let name = format!("{family:?} {protocol} {port} {last}");
                assert_eq!(found(&mut world, &packet, last), expected, "{name}");
            }
        }
        let mut elsewhere = Packet::new(Family::V4, TCP, PORT_TCP).frame();
        elsewhere.ip[18] ^= 1;
        assert_eq!(world.run("outside", &elsewhere.bytes()).verdict, Verdict::Pass);
    }

    fn malformed_packets_for_a_prefix_are_dropped() {
        let mut world = World::new();
        let all = range(5, protocol::TCP, 1, 65_535);
        world.set_wide(prefix(Family::V4, 24), listeners(&[all]));
        let mut frame = Packet::new(Family::V4, TCP, 80).frame();
        frame.ip[19] = 77;
        frame.ip[32] = 0x10;
        let outcome = world.run("short TCP header", &frame.bytes());
        assert_eq!(outcome.counted, [("transport_header_malformed".to_owned(), 1)].into());
    }

    fn nothing_is_looked_up_while_they_are_turned_off() {
        let mut world = World::new();
        let all = range(5, protocol::TCP, 1, 65_535);
        world.set_wide(prefix(Family::V4, 24), listeners(&[all]));
        let packet = Packet::new(Family::V4, TCP, 4000);
        assert_eq!(found(&mut world, &packet, 77), Some(5));
        let flags = 0;
        world.set_switches(lb_common::Switches { flags, ..crate::support::world::SWITCHES });
        assert_eq!(found(&mut world, &packet, 77), None);
    }
}
