//! Which frames are for this host, by their MAC address.

use lb_common::{Family, InterfaceMacs, Mac};
use lb_ebpf::Verdict;

use crate::support::{
    frames::{BALANCER_MAC, CLIENT_MAC, Frame, Packet, TARGET_MAC, TCP},
    world::{INGRESS, PORT_TCP, Sides as _, World, in_sandbox},
};

/// A virtual router's (RFC 5798).
const VIRTUAL_MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];

fn take(world: &mut World, macs: &[[u8; 6]]) {
    let macs: Vec<Mac> = macs.iter().map(|mac| Mac::new(*mac)).collect();
    world.host.macs.insert(INGRESS, InterfaceMacs::of(&macs));
    world.kernel.store.macs().write(&[(INGRESS, macs)]);
}

in_sandbox! {
    fn frames_for_other_hosts_are_left_alone() {
        let mut world = World::new();
        for family in [Family::V4, Family::V6] {
            let packet = Packet::new(family, TCP, PORT_TCP);
            let options = match family {
                Family::V4 => Packet { options: vec![1; 4], ..packet.clone() },
                Family::V6 => Packet { extensions: vec![(60, 8)], ..packet.clone() },
            };
            // Plain and not plain, tagged or not.
            for packet in [packet, options] {
                for tags in [Vec::new(), vec![(0x8100, 5)]] {
                    let frame = Frame { tags, ..packet.frame() };
                    let mut goes = |macs: &[[u8; 6]], to: [u8; 6], expected: bool| {
                        take(&mut world, macs);
                        let bytes = frame.between(CLIENT_MAC, to);
                        let outcome = world.run("frame", &bytes);
                        let goes = matches!(outcome.verdict, Verdict::Transmit);
                        assert_eq!(goes, expected, "{macs:?} {to:?}: {outcome:?}");
                        if !expected {
                            assert_eq!(outcome.verdict, Verdict::Pass);
                            assert!(outcome.frame == bytes);
                        }
                        outcome.counted.get("other_host_passed").copied()
                    };
                    let other = [2, 0, 0, 0, 0, 2 ^ 1];
                    assert_eq!(goes(&[BALANCER_MAC], BALANCER_MAC, true), None);
                    for other in [other, TARGET_MAC, VIRTUAL_MAC, [0; 6], [2, 0, 0, 0, 1, 2]] {
                        assert_eq!(goes(&[BALANCER_MAC], other, false), Some(1));
                    }
                    let more = [BALANCER_MAC, TARGET_MAC, other, VIRTUAL_MAC];
                    for mac in more {
                        assert_eq!(goes(&more, mac, true), None);
                    }
                    assert_eq!(goes(&[], other, true), None, "nothing is known");
                    // Group addresses belong to no host, and are not counted.
                    assert_eq!(goes(&[BALANCER_MAC], [0xff; 6], false), None);
                    assert_eq!(goes(&[BALANCER_MAC], [1, 0, 0x5e, 0, 0, 1], false), None);
                }
            }
        }
    }
}
