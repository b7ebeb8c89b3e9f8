//! Frames at a balancer whose listeners use every mode. What it remembers of flows stays from one frame of an
//! input to the next.
//!
//! An input is a choice of mode, and frames, each behind its length (2 bytes, the first one is the most significant).
#![no_main]

use std::net::IpAddr;

use lb_common::{
    Address, Be16, Family, Listener, ListenerKey, Mac, Mode, Pool, RingRef, Slot, Switches, Target,
    head::HeadFields, listener::protocol,
};
use lb_ebpf::{
    Verdict,
    host::{HEADROOM, MemoryTables, VecPacket},
};
use libfuzzer_sys::fuzz_target;

const VIP_V4: [u8; 4] = [192, 0, 2, 10];
const VIP_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10];
const OWN_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const GROUP: u16 = 1;
const TARGET: u16 = 1;
const RING_BITS: u8 = 4;
const MODES: [Mode; 5] = [Mode::Ipip, Mode::Gue, Mode::L2dsr, Mode::Nat, Mode::Fullnat];

/// A balancer with one target, reached in this mode, for TCP and UDP of both families.
fn tables(mode: Mode, family: Family, armed: bool) -> MemoryTables {
    let mut tables = MemoryTables { seed: [1, 2], ..MemoryTables::default() };
    let address: IpAddr = match family {
        Family::V4 => [10, 0, 0, 11].into(),
        Family::V6 => [0xfd00, 0, 0, 0, 0, 0, 0, 0x11].into(),
    };
    let fields = HeadFields {
        mode,
        address,
        destination_mac: Mac::new([2, 0, 0, 0, 0, 11]),
        source_mac: Mac::new([2, 0, 0, 0, 0, 1]),
        vlan: Be16::default(),
        outer_source: match family {
            Family::V4 => Address::v4([172, 16, 0, 0]),
            Family::V6 => Address::v6([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        },
        gue_port: Be16::default(),
        gue_variant: u8::from(armed),
    };
    let target = Target {
        flags: Target::VALID | Target::RESOLVED | Target::ROUTABLE | Target::ACCEPTING,
        group: GROUP,
        port: Be16::new(8080),
        mtu: 1500,
        interface: 1,
        ..Target::default()
    };
    tables.targets.insert(TARGET, target.by(&fields));
    let slot = Slot::unarmed(TARGET);
    let slots = (0..1_usize << RING_BITS).map(|index| (index, slot));
    tables.slots.extend(slots);
    tables.rings.insert(GROUP, RingRef::new(0, RING_BITS));
    for (id, family, address) in
        [(1, Family::V4, Address::v4(VIP_V4)), (101, Family::V6, Address::v6(VIP_V6))]
    {
        for (id, port, protocol) in [(id, 80, protocol::TCP), (id + 1, 53, protocol::UDP)] {
            let key = ListenerKey::new(family, address, Be16::new(port), protocol);
            let flags = if armed { Listener::TRACKED } else { 0 };
            tables.listeners.insert(key, Listener { id, group: GROUP, idle_timeout: 350, flags });
            tables.addresses.insert(key.vip(), 1);
        }
    }
    tables.switches = Switches { flags: Switches::ECHO_REPLY, icmp_rate: u32::MAX };
    if mode == Mode::Fullnat {
        for (family, address) in
            [(Family::V4, Address::v4([10, 0, 0, 1])), (Family::V6, Address::v6(OWN_V6))]
        {
            let pool = Pool {
                address,
                family: family as u8,
                first_port: 32_768,
                count: 4,
                flags: Pool::READY,
                ..Pool::default()
            };
            tables.nat.pools.insert(Pool::first_place(family), pool);
        }
    }
    tables
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, mut rest)) = input.split_first() else { return };
    let mode = MODES[usize::from(choice & 0x0f) % MODES.len()];
    let family = if choice & 0x10 == 0 { Family::V4 } else { Family::V6 };
    let mut tables = tables(mode, family, choice & 0x20 != 0);
    tables.nat.count = 64;
    let mut now = 1_000_000_000;
    while let Some(([high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (frame, after) = after.split_at(length);
        rest = after;
        now += 1_000_000_000;
        tables.now.set(now);
        let mut packet = VecPacket::new(frame, 1);
        let verdict = lb_ebpf::process(&mut packet, &tables);
        match verdict {
            Verdict::Pass | Verdict::Drop(_) => {
                assert_eq!(packet.bytes(), frame, "a frame that stays was changed");
            }
            Verdict::Transmit | Verdict::Redirect(_) => {
                let sent = packet.bytes();
                assert!(sent.len() <= frame.len() + HEADROOM, "{verdict:?} beyond the headroom");
                assert!(sent.len() >= 34, "{verdict:?} of {} bytes", sent.len());
            }
        }
    }
});
