//! Host and kernel agree: on every frame cut at every length, and on 1,000,000 random and mutated
//! frames for each forwarding mode and for the decapsulator.

use std::collections::BTreeMap;

use lb_common::{Be16, DropReason, Family, Mode, Target, head::HeadFields};
use lb_ebpf::{Step, Verdict, host::VecPacket, stage};

use crate::{
    decap::{Outer, PLAIN, addresses, wrap},
    forwarding::{frames, kinds},
    icmp, memory, nat,
    support::{
        frames::{BALANCER_MAC, Packet, TARGET_MAC, TCP, UDP, VIP_V4, VIP_V6},
        random::{Random, frame},
        world::{
            DecapWorld, INGRESS, PORT_BAD_MODE, PORT_NO_OWNER, PORT_NO_RING, PORT_NO_TARGET,
            PORT_TCP, PORT_UNRESOLVED, Sides as _, TARGET, World, agree, difference, fields,
            target_by,
        },
    },
};

const FRAMES: usize = 1_000_000;

/// Counters are compared after so many frames, so that a difference is close to its cause.
const BATCH: usize = 1000;

pub(crate) const SEED: u64 = 0x7865_6c62_2026_1123;

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
        for (protocol, offset) in [(UDP, 0), (UDP, 8), (TCP, 0), (TCP, 1), (TCP, 8), (50, 0)] {
            let fragment = Packet {
                fragment: Some((offset, true)),
                extensions: vec![(44, 8)],
                payload: 64,
                ..Packet::new(family, protocol, if protocol == TCP { 80 } else { 53 })
            };
            all.push(fragment.frame().bytes());
        }
        let long = Packet { payload: 1500, ..Packet::new(family, TCP, PORT_TCP) };
        all.push(long.frame().bytes());
        all.push(Packet::new(family, TCP, PORT_TCP).with_tcp_options(true, 1460).frame().bytes());
    }
    all.extend(icmp::good());
    all
}

/// Good tunnel packets of every kind.
fn good_tunnels() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for inner_family in [Family::V4, Family::V6] {
        for (_, packet) in kinds(inner_family, TCP) {
            for (_, inner) in frames(&packet) {
                for family in [Family::V4, Family::V6] {
                    for (class, more, gue) in
                        [(0, 0, None), (3, 8, None), (0, 0, Some(0)), (1, 0, Some(1))]
                    {
                        let outer = Outer { family, class, more, gue, ..PLAIN };
                        all.push(wrap(outer, &inner).between(BALANCER_MAC, TARGET_MAC));
                    }
                }
            }
        }
    }
    all
}

/// Targets of every mode, with and without a tag, and a limit of segments.
fn targets() -> Vec<Target> {
    let mut all = Vec::new();
    for (mode, address) in [
        (Mode::Ipip, "10.0.0.11"),
        (Mode::Ipip, "fd00::11"),
        (Mode::Gue, "10.0.0.11"),
        (Mode::Gue, "fd00::11"),
        (Mode::L2dsr, "10.0.0.11"),
    ] {
        let plain = fields(mode, address.parse().unwrap());
        all.push(target_by(&plain));
        let tagged = target_by(&HeadFields { vlan: Be16::new(5), gue_variant: 1, ..plain });
        all.push(Target { mss: 1000, ..tagged });
    }
    all
}

/// Whether a frame contains a VIP's bytes.
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
                let mut packet = VecPacket::new(part, 1);
                let verdict = lb_ebpf::decap::process(&mut packet, &world_host);
                agree("truncated", part, verdict, packet.bytes(), &kernel.run(part));
            }
        }
    }

    fn random_frames_through_ipip() {
        untranslated(Mode::Ipip);
    }

    fn random_frames_through_gue() {
        untranslated(Mode::Gue);
    }

    fn random_frames_through_l2dsr() {
        untranslated(Mode::L2dsr);
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
        for name in ["decapsulated", "decapsulated_gue", "outer_header_malformed", "inner_header_malformed",
            "ecn_invalid", "inner_destination_refused", "inner_protocol_refused"] {
            assert!(counted.contains_key(name), "no random frame led to {name}");
        }
    }

    fn plain_packets_become_what_the_stages_for_all_make_of_them() {
        let mut world = World::new();
        let mut random = Random::new(SEED);
        let good = good();
        let mut plain = 0;
        for target in targets() {
            world.set_target(TARGET, target);
            for number in 0..20_000 {
                let frame = frame(&mut random, &good);
                let mut packet = VecPacket::new(&frame, INGRESS);
                let step = stage::plain(&mut packet, &world.host);
                if step == Step::NotPlain {
                    assert_eq!(packet.bytes(), frame, "a packet that is handed on was changed");
                    continue;
                }
                let mut other = VecPacket::new(&frame, INGRESS);
                let all = stage::balance(&mut other, &world.host);
                assert_eq!((step, packet.bytes()), (all, other.bytes()), "frame {number} of seed {SEED:#x}");
                plain += usize::from(matches!(step, Step::Sent(_)));
            }
        }
        assert!(plain > 5_000, "only {plain} random frames were plain and forwarded");
    }

    fn random_frames_through_armed_slots() {
        remembered();
    }

    fn random_frames_through_nat() {
        translated(Mode::Nat);
    }

    fn random_frames_through_fullnat() {
        translated(Mode::Fullnat);
    }
}

/// Frames for one world: no more first fragments in it than the kernel remembers.
const UNTRANSLATED: usize = 100_000;

/// Frames for one world of mode nat or fullnat: host and kernel have different clocks, so that they
/// must be done before a flow is forgotten.
const TRANSLATED: usize = 30_000;

/// Random frames through a mode that remembers nothing, both families, with and without a tag.
fn untranslated(mode: Mode) {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let good = good();
    let targets: Vec<Target> =
        targets().into_iter().filter(|target| target.mode == mode as u8).collect();
    let mut counted = BTreeMap::new();
    for round in 0..FRAMES / UNTRANSLATED {
        let mut world = World::new();
        let name = format!("{mode:?} round {round}");
        let part = UNTRANSLATED / targets.len();
        for target in &targets {
            world.set_target(TARGET, *target);
            counted.extend(agreed(&name, &mut world, &mut random, &good, part, names_a_vip));
        }
    }
    println!("{counted:#?}");
    expect(
        &counted,
        &[
            "target 1 packets",
            "fragment_passed",
            "fragment_forwarded",
            "fragment_unmatched",
            "fragment_overlap",
            "icmp_error_forwarded",
            "echo_reply_sent",
            "too_big_sent",
            "ipv4_header_malformed",
            "ipv6_header_malformed",
            "transport_header_malformed",
            "extension_header_malformed",
            "ring_missing",
            "no_target",
            "target_missing",
            "next_hop_unresolved",
            "mode_unknown",
        ],
    );
}

/// Random frames through slots in every state, while targets come and go: what is remembered
/// decides where they go, and host and kernel must remember the same.
fn remembered() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let good = good();
    let mut counted = BTreeMap::new();
    for round in 0..FRAMES / UNTRANSLATED {
        let mut world = memory::every_state();
        let name = format!("armed round {round}");
        for part in 0..10 {
            memory::change(&mut world, part);
            let frames = UNTRANSLATED / 10;
            counted.extend(agreed(&name, &mut world, &mut random, &good, frames, names_a_vip));
        }
    }
    println!("{counted:#?}");
    expect(
        &counted,
        &[
            "target 6 packets",
            "target 7 packets",
            "target 8 packets",
            "flow_remembered",
            "reset_sent",
            "fragment_forwarded",
            "icmp_error_forwarded",
        ],
    );
}

/// Random frames through a mode that remembers flows, both families.
fn translated(mode: Mode) {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let plans: Vec<_> = nat::plans().into_iter().filter(|plan| plan.mode == mode).collect();
    let mut counted = BTreeMap::new();
    for round in 0..FRAMES.div_ceil(TRANSLATED) {
        let plan = &plans[round % plans.len()];
        let mut world = nat::world(plan);
        let name = format!("{mode:?} round {round}");
        counted.extend(agreed(
            &name,
            &mut world,
            &mut random,
            &nat::good(plan),
            TRANSLATED,
            |_| true,
        ));
    }
    println!("{counted:#?}");
    expect(
        &counted,
        &[
            "target 6 packets",
            "reply_forwarded",
            "flow_created",
            "flow_unknown",
            "icmp_error_forwarded",
            "fragment_forwarded",
            "ttl_exceeded",
        ],
    );
}

pub(crate) fn expect(counted: &BTreeMap<String, u64>, names: &[&str]) {
    for name in names {
        assert!(counted.contains_key(*name), "no random frame led to {name}");
    }
}

/// Runs random frames on both sides, which must agree on every frame and every counter; what came in
/// must have gone out, or been counted. Gives what was counted.
fn agreed(
    name: &str,
    world: &mut World,
    random: &mut Random,
    good: &[Vec<u8>],
    frames: usize,
    is_ours: fn(&[u8]) -> bool,
) -> BTreeMap<String, u64> {
    let before = (world.host_counters(), world.kernel_counters());
    let (mut sent, mut dropped) = (0, 0);
    for number in 0..frames {
        let frame = frame(random, good);
        world.tick();
        let (verdict, bytes) = world.run_host(&frame);
        let ran = world.kernel.run(&frame);
        agree(&format!("{name} frame {number} of seed {SEED:#x}"), &frame, verdict, &bytes, &ran);
        match verdict {
            Verdict::Transmit | Verdict::Redirect(_) => sent += 1,
            Verdict::Drop(_) => dropped += 1,
            Verdict::Pass => assert!(bytes == frame, "{name} frame {number}: passed, but changed"),
        }
        assert!(
            verdict == Verdict::Pass || is_ours(&frame),
            "{name} frame {number}: without a VIP, yet {verdict:?}"
        );
        if (number + 1) % BATCH == 0 {
            let host = difference(&before.0, &world.host_counters());
            let kernel = difference(&before.1, &world.kernel_counters());
            assert_eq!(host, kernel, "{name}: counters up to frame {number} of seed {SEED:#x}");
        }
    }
    let counted = difference(&before.0, &world.host_counters());
    conserved(name, &counted, sent, dropped);
    counted
}

/// Every frame that left is counted once: for a target, as an answer, or as a message of our own; so
/// is every drop. (What is too big is both dropped and answered.)
fn conserved(name: &str, counted: &BTreeMap<String, u64>, sent: u64, dropped: u64) {
    let count = |name: &str| counted.get(name).copied().unwrap_or(0);
    let targets = counted
        .iter()
        .filter(|(name, _)| name.starts_with("target ") && name.ends_with(" packets"));
    let too_big_sent = count("too_big_sent");
    let out: u64 = targets.map(|(_, packets)| packets).sum::<u64>()
        + count("reply_forwarded")
        + count("echo_reply_sent")
        + count("reset_sent")
        + too_big_sent;
    assert_eq!(out, sent, "{name}: frames that left, by counters and by verdicts");
    let reasons: u64 = DropReason::ALL.iter().map(|reason| count(reason.name())).sum();
    assert_eq!(reasons - too_big_sent, dropped, "{name}: drops, by counters and by verdicts");
}
