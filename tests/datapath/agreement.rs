//! Host and kernel agree: on every frame cut at every length, and on 100,000 random and mutated
//! frames for each of the two programs.

use std::net::IpAddr;

use lb_common::{Family, Mode};
use lb_ebpf::Verdict;

use crate::{
    decap::{Outer, PLAIN, addresses, wrap},
    forwarding::{frames, kinds},
    support::{
        frames::{BALANCER_MAC, Packet, TARGET_MAC, TCP, UDP, VIP_V4, VIP_V6},
        random::{Random, frame},
        world::{
            DecapWorld, PORT_BAD_MODE, PORT_NO_OWNER, PORT_NO_RING, PORT_NO_TARGET,
            PORT_UNRESOLVED, Sides as _, TARGET, World, agree, difference, target,
        },
    },
};

const FRAMES: usize = 100_000;

/// Counters are compared after so many frames, so that a difference is close to its cause.
const BATCH: usize = 1000;

const SEED: u64 = 0x7865_6c62_2026_1123;

/// Good frames of every kind.
fn good() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for family in [Family::V4, Family::V6] {
        for protocol in [TCP, UDP] {
            for (_, packet) in kinds(family, protocol) {
                all.extend(frames(&packet).iter().map(|(_, frame)| frame.bytes()));
            }
        }
        let broken = [PORT_NO_RING, PORT_NO_OWNER, PORT_NO_TARGET, PORT_UNRESOLVED, PORT_BAD_MODE];
        all.extend(broken.map(|port| Packet::new(family, TCP, port).frame().bytes()));
        let fragment = Packet {
            fragment: Some((0, true)),
            extensions: vec![(44, 8)],
            ..Packet::new(family, UDP, 53)
        };
        all.push(fragment.frame().bytes());
    }
    all
}

/// Good tunnel packets of every kind.
fn good_tunnels() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for inner_family in [Family::V4, Family::V6] {
        for (_, packet) in kinds(inner_family, TCP) {
            for (_, inner) in frames(&packet) {
                for family in [Family::V4, Family::V6] {
                    for (class, more) in [(0, 0), (3, 8)] {
                        let outer = Outer { family, class, more, ..PLAIN };
                        all.push(wrap(outer, &inner).between(BALANCER_MAC, TARGET_MAC));
                    }
                }
            }
        }
    }
    all
}

fn targets() -> [(Mode, IpAddr); 3] {
    [
        (Mode::Ipip, [10, 0, 0, 11].into()),
        (Mode::Ipip, "fd00::11".parse().unwrap()),
        (Mode::L2dsr, [10, 0, 0, 11].into()),
    ]
}

/// Whether a VIP's bytes stand anywhere in a frame.
fn names_a_vip(frame: &[u8]) -> bool {
    frame.windows(4).any(|bytes| bytes == VIP_V4) || frame.windows(16).any(|bytes| bytes == VIP_V6)
}

crate::support::world::in_sandbox! {
    fn frames_cut_at_every_length() {
        let mut world = World::new();
        let mut cut = 0;
        for frame in good() {
            for length in (0..frame.len().min(140)).chain([frame.len() - 1]) {
                let part = &frame[..length];
                let (verdict, bytes) = world.run_host(part);
                if length >= 14 {
                    let ran = world.kernel.run(part);
                    agree("truncated", part, verdict, &bytes, &ran);
                }
                let changed = matches!(verdict, Verdict::Transmit | Verdict::Redirect(_));
                assert!(changed || bytes == part, "a frame that stays was changed");
                cut += 1;
            }
        }
        println!("{cut} truncated frames");
    }

    fn tunnel_packets_cut_at_every_length() {
        let world = DecapWorld::new(&addresses());
        let mut kernel = world.kernel;
        let world_host = lb_ebpf::host::MemoryTables { ..world.host };
        for frame in good_tunnels() {
            for length in (14..frame.len().min(180)).chain([frame.len() - 1]) {
                let part = &frame[..length];
                let mut packet = lb_ebpf::host::VecPacket::new(part, 1);
                let verdict = lb_ebpf::decap::process(&mut packet, &world_host);
                agree("truncated", part, verdict, packet.bytes(), &kernel.run(part));
            }
        }
    }

    fn random_frames_through_the_balancer() {
        println!("seed {SEED:#x}");
        let mut world = World::new();
        let mut random = Random::new(SEED);
        let good = good();
        let before = (world.host_counters(), world.kernel_counters());
        for number in 0..FRAMES {
            if number % 10_000 == 0 {
                let (mode, address) = targets()[number / 10_000 % 3];
                world.set_target(TARGET, target(mode, address));
            }
            let frame = frame(&mut random, &good);
            let (verdict, bytes) = world.run_host(&frame);
            let ran = world.kernel.run(&frame);
            agree(&format!("frame {number} of seed {SEED:#x}"), &frame, verdict, &bytes, &ran);
            assert!(
                verdict == Verdict::Pass && bytes == frame || names_a_vip(&frame),
                "frame {number}: without a VIP, yet {verdict:?}"
            );
            if (number + 1) % BATCH == 0 {
                let host = difference(&before.0, &world.host_counters());
                let kernel = difference(&before.1, &world.kernel_counters());
                assert_eq!(host, kernel, "counters up to frame {number} of seed {SEED:#x}");
            }
        }
        let counted = difference(&before.0, &world.host_counters());
        println!("{counted:#?}");
        for name in ["target 1 packets", "fragment_passed", "ipv4_header_malformed",
            "ipv6_header_malformed", "transport_header_malformed", "extension_header_malformed",
            "ring_missing", "no_target", "target_missing", "next_hop_unresolved", "mode_unknown"] {
            assert!(counted.contains_key(name), "no random frame led to {name}");
        }
    }

    fn random_frames_through_the_decapsulator() {
        println!("seed {SEED:#x}");
        let mut world = DecapWorld::new(&addresses());
        let mut random = Random::new(SEED);
        let good = good_tunnels();
        for number in 0..FRAMES {
            let frame = frame(&mut random, &good);
            let (verdict, bytes) = world.run_host(&frame);
            let ran = world.kernel.run(&frame);
            agree(&format!("frame {number} of seed {SEED:#x}"), &frame, verdict, &bytes, &ran);
            if (number + 1) % BATCH == 0 {
                let (host, kernel) = (world.host_counters(), world.kernel_counters());
                assert_eq!(host, kernel, "counters up to frame {number} of seed {SEED:#x}");
            }
        }
        let counted = world.host_counters();
        println!("{counted:#?}");
        for name in ["decapsulated", "outer_header_malformed", "inner_header_malformed",
            "ecn_invalid"] {
            assert!(counted.contains_key(name), "no random frame led to {name}");
        }
    }
}
