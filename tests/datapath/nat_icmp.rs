//! Modes nat and fullnat: ICMP errors in both directions, with the packet in them translated, too.

use std::net::IpAddr;

use lb_common::{Family, Mode};
use lb_ebpf::Verdict;

use crate::{
    icmp::{ROUTER_V4, ROUTER_V6, errors_between},
    nat::{Plan, answer, back, plain, plans, same, translated, world},
    support::{
        frames::{BALANCER_MAC, CLIENT_MAC, Frame, Packet, TARGET_MAC, TCP, UDP, shown},
        world::{Sides as _, World},
    },
};

fn router(family: Family) -> IpAddr {
    match family {
        Family::V4 => ROUTER_V4.into(),
        Family::V6 => ROUTER_V6.into(),
    }
}

/// The frame with one hop less, by etherparse.
fn after_a_hop(frame: &Frame) -> Frame {
    let mut ip = frame.ip.clone();
    match frame.family {
        Family::V4 => {
            let (mut header, rest) = etherparse::Ipv4Header::from_slice(&frame.ip).unwrap();
            header.time_to_live -= 1;
            header.header_checksum = header.calc_header_checksum();
            ip = [header.to_bytes().to_vec(), rest.to_vec()].concat();
        }
        Family::V6 => ip[7] -= 1,
    }
    Frame { ip, ..frame.clone() }
}

/// Lengths of what an error quotes: just the ports, the UDP header, the TCP header, all.
fn quotes(packet: &Packet) -> Vec<usize> {
    let header = if packet.family == Family::V4 { 20 } else { 40 };
    vec![header + 8, header + 20, packet.bytes().len()]
}

/// `packet`, quoted up to `length`.
fn quoted(packet: &Packet, length: usize) -> Vec<u8> {
    packet.bytes()[..length.min(packet.bytes().len())].to_vec()
}

fn established(plan: &Plan, world: &mut World, protocol: u8) -> (Packet, Packet) {
    let packet = plain(plan, protocol);
    world.run("the flow", &packet.frame().bytes());
    let got = translated(plan, &packet);
    (packet, got)
}

crate::support::world::in_sandbox! {
    fn errors_about_packets_of_the_target_reach_it() {
        for plan in plans() {
            for protocol in [TCP, UDP] {
                let mut world = world(&plan);
                let (packet, got) = established(&plan, &mut world, protocol);
                // What the target sent, as it left and as it knows it.
                let sent = back(&packet, &Packet { ttl: 62, ..answer(&got) });
                let known = Packet { ttl: sent.ttl, ..answer(&got) };
                for length in quotes(&sent) {
                    let from = router(plan.family);
                    let given = errors_between(from, packet.destination, &quoted(&sent, length));
                    let wanted = errors_between(from, plan.target, &quoted(&known, length));
                    for ((kind, given), (_, wanted)) in given.iter().zip(&wanted) {
                        let name = format!("{:?} {protocol} {kind} {length}", plan.mode);
                        let outcome = world.run(&name, &given.bytes());
                        same(&name, &outcome, &after_a_hop(wanted).towards(None));
                        assert_eq!(outcome.counted["icmp_error_forwarded"], 1, "{name}");
                    }
                }
            }
        }
    }

    fn errors_about_packets_of_the_client_reach_it() {
        for plan in plans() {
            for protocol in [TCP, UDP] {
                let mut world = world(&plan);
                let (packet, got) = established(&plan, &mut world, protocol);
                let client = packet.source;
                let local = got.source;
                // As the target got it, and as the client sent it.
                let known = Packet { ttl: got.ttl, ..packet.clone() };
                for length in quotes(&got) {
                    // The target itself, and a router on the way to it.
                    for from in [plan.target, router(plan.family)] {
                        let given = errors_between(from, local, &quoted(&got, length));
                        let seen = if from == plan.target { packet.destination } else { from };
                        let wanted = errors_between(seen, client, &quoted(&known, length));
                        for ((kind, given), (_, wanted)) in given.iter().zip(&wanted) {
                            let name = format!("{:?} {protocol} {kind} {length} {from}", plan.mode);
                            let frame = given.between(TARGET_MAC, BALANCER_MAC);
                            let outcome = world.run(&name, &frame);
                            let wanted = after_a_hop(wanted).between(BALANCER_MAC, CLIENT_MAC);
                            same(&name, &outcome, &wanted);
                        }
                    }
                }
            }
        }
    }

    fn errors_about_unknown_flows_are_left_alone() {
        for plan in plans() {
            let mut world = world(&plan);
            let (packet, got) = established(&plan, &mut world, TCP);
            let other = Packet { port: 9, ..got.clone() };
            let to = if plan.mode == Mode::Nat { packet.source } else { plan.local };
            for (kind, frame) in errors_between(plan.target, to, &quoted(&other, 60)) {
                let bytes = frame.between(TARGET_MAC, BALANCER_MAC);
                let outcome = world.run(&kind, &bytes);
                assert_eq!(outcome.verdict, Verdict::Pass, "{kind}: {}", shown(&bytes));
                assert_eq!(outcome.frame, bytes);
            }
            let unknown = Packet { port: 9, ..back(&packet, &answer(&got)) };
            for (kind, frame) in
                errors_between(router(plan.family), packet.destination, &quoted(&unknown, 60))
            {
                let outcome = world.run(&kind, &frame.bytes());
                assert_eq!(outcome.counted, [("flow_unknown".to_owned(), 1)].into(), "{kind}");
            }
        }
    }
}
