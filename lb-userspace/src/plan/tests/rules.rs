//! Who takes traffic, what state targets are shown in, and what people are told.

use lb_common::{
    Address, Be16, Family, Mac, Mode, RingRef, Slot, Target,
    target::TargetState::{self, Draining, Healthy, Initial, Unhealthy, Unused},
};

use super::*;

/// What is known of a target.
#[derive(Clone, Copy, Default)]
struct Given {
    health: Option<TargetState>,
    weight: Option<u32>,
    drained: bool,
    /// `None`: resolved and on the link.
    hop: Option<Hop>,
}

#[derive(Clone, Copy)]
enum Hop {
    Unknown,
    Unresolved,
    Behind,
}

const HEALTHY: Given = Given { health: Some(Healthy), weight: None, drained: false, hop: None };
const UNHEALTHY: Given = Given { health: Some(Unhealthy), ..HEALTHY };
const NEW: Given = Given { health: None, ..HEALTHY };

struct Case {
    name: &'static str,
    used: bool,
    mode: Mode,
    targets: &'static [Given],
    /// State, reason and whether it is in the ring.
    expected: &'static [(TargetState, Option<Reason>, bool)],
    warnings: &'static [&'static str],
}

fn check(case: &Case) {
    let mut world = World::new();
    world.group("web", case.mode);
    for (number, given) in (1..).zip(case.targets) {
        let address = v4(number);
        match given.hop {
            None => {}
            Some(Hop::Unknown) => {}
            Some(Hop::Unresolved) => {
                let state = NextHopState::Unresolved(format!("no route to {address}"));
                world.next_hops.insert(address, state);
            }
            Some(Hop::Behind) => {
                world.next_hops.insert(address, NextHopState::Resolved(hop(2, false)));
            }
        }
        let key = world.target(address, given.weight.unwrap_or(1), given.health);
        if let Some(Hop::Unknown) = given.hop {
            world.next_hops.remove(&address);
        }
        if given.drained {
            world.drained.insert(key);
        }
    }
    if case.used {
        world.listener("203.0.113.1", "web");
    }
    let plan = world.first_plan().unwrap();
    let found: Vec<_> =
        plan.targets.iter().map(|report| (report.state, report.reason, report.in_ring)).collect();
    assert_eq!(found, case.expected, "{}", case.name);
    assert_eq!(plan.warnings, case.warnings, "{}", case.name);

    let group = &plan.tables.groups[&1];
    let slots = |id: u16| group.slots.iter().filter(|slot| **slot == Slot::unarmed(id)).count();
    for report in &plan.targets {
        assert_eq!(slots(report.id) > 0, report.in_ring, "{}: {}", case.name, report.key);
        let share = f64::from(u32::try_from(slots(report.id)).unwrap()) / 4096.0;
        assert!((report.share - share).abs() < 1e-9, "{}: {report:?}", case.name);
        assert_eq!(plan.tables.targets[&report.id].state, report.state as u8, "{}", case.name);
    }
    let has_ring = case.used && !case.targets.is_empty();
    assert_eq!(group.ring, if has_ring { RingRef::new(0, 12) } else { RingRef::NONE });
    let in_ring = plan.targets.iter().any(|report| report.in_ring);
    assert_eq!(slots(0), if has_ring && !in_ring { 4096 } else { 0 }, "{}", case.name);
    assert_eq!(faults(&plan.tables), Vec::<String>::new(), "{}", case.name);
}

#[test]
fn membership_and_states() {
    const TIMEOUT: Option<Reason> = Some(Reason::Timeout);
    const CHECKING: Option<Reason> = Some(Reason::InitialHealthChecking);
    const UNUSABLE: Option<Reason> = Some(Reason::IpUnusable);
    const LEAVING: Option<Reason> = Some(Reason::DeregistrationInProgress);
    const DRAINED: Given = Given { drained: true, ..HEALTHY };
    let case = |name, targets, expected, warnings| Case {
        name,
        used: true,
        mode: Mode::Ipip,
        targets,
        expected,
        warnings,
    };
    let cases = [
        case(
            "healthy ones take traffic, others do not",
            &[HEALTHY, UNHEALTHY, NEW, DRAINED, Given { weight: Some(0), ..HEALTHY }],
            &[
                (Healthy, None, true),
                (Unhealthy, TIMEOUT, false),
                (Initial, CHECKING, false),
                (Draining, LEAVING, false),
                (Healthy, None, false),
            ],
            &[],
        ),
        case(
            "all unhealthy",
            &[UNHEALTHY, UNHEALTHY, UNHEALTHY],
            &[(Unhealthy, TIMEOUT, true); 3],
            &["target group web: no healthy target; failing open to all 3 targets"],
        ),
        case(
            "the only one is unhealthy",
            &[UNHEALTHY],
            &[(Unhealthy, TIMEOUT, true)],
            &["target group web: no healthy target; failing open to its only target"],
        ),
        case(
            "fail open leaves out what is drained, initial or of weight 0",
            &[
                UNHEALTHY,
                NEW,
                Given { drained: true, ..UNHEALTHY },
                Given { weight: Some(0), ..UNHEALTHY },
            ],
            &[
                (Unhealthy, TIMEOUT, true),
                (Initial, CHECKING, false),
                (Draining, LEAVING, false),
                (Unhealthy, TIMEOUT, false),
            ],
            &["target group web: no healthy target; failing open to 1 of 4 targets"],
        ),
        case(
            "initial targets get nothing before their first success",
            &[NEW, Given { health: Some(Initial), ..NEW }],
            &[(Initial, CHECKING, false); 2],
            &[
                "target group web: no target may take traffic (2 waiting for the first health check); \
               packets for its listeners are dropped and counted as no_target",
            ],
        ),
        case(
            "no next hop",
            &[
                Given { hop: Some(Hop::Unresolved), ..HEALTHY },
                Given { hop: Some(Hop::Unknown), ..UNHEALTHY },
                HEALTHY,
            ],
            &[(Healthy, UNUSABLE, false), (Unhealthy, UNUSABLE, false), (Healthy, None, true)],
            &["target group web: 2 of 3 targets have no usable next hop and take no traffic \
               (10.0.0.1: no route to 10.0.0.1; 10.0.0.2: the next hop of 10.0.0.2 is still being \
               looked up)"],
        ),
        Case {
            mode: Mode::L2dsr,
            ..case(
                "l2dsr behind a router",
                &[Given { hop: Some(Hop::Behind), ..HEALTHY }, HEALTHY],
                &[(Healthy, UNUSABLE, false), (Healthy, None, true)],
                &["target group web: 1 of 2 targets have no usable next hop and take no traffic \
                   (10.0.0.1: 10.0.0.1 is behind a router, and l2dsr reaches only targets on the \
                   same layer 2: use forwarding ipip, or connect this host to the network of the \
                   target)"],
            )
        },
        case(
            "ipip behind a router",
            &[Given { hop: Some(Hop::Behind), ..HEALTHY }],
            &[(Healthy, None, true)],
            &[],
        ),
        Case {
            used: false,
            ..case(
                "no listener",
                &[HEALTHY, DRAINED],
                &[(Unused, Some(Reason::NotInUse), false), (Draining, LEAVING, false)],
                &[],
            )
        },
        case(
            "no targets",
            &[],
            &[],
            &["target group web: it has no targets; packets for its listeners are dropped and \
               counted as ring_missing"],
        ),
    ];
    cases.iter().for_each(check);
}

#[test]
fn entries_hold_what_packets_need() {
    let hop = hop(7, true);
    let resolved = Target {
        flags: Target::VALID | Target::RESOLVED,
        group: 1,
        port: Be16::new(80),
        mtu: 1500,
        destination_mac: hop.destination_mac.into(),
        source_mac: hop.source_mac.into(),
        interface: 7,
        state: Healthy as u8,
        ..Target::default()
    };
    let v4 = Target { address: Address::v4([10, 0, 0, 1]), family: Family::V4 as u8, ..resolved };
    let v6_address: IpAddr = "2001:db8::1".parse().unwrap();
    let v6 = Target { address: v6_address.into(), family: Family::V6 as u8, ..resolved };
    let ipip = Mode::Ipip as u8;
    let l2dsr = Mode::L2dsr as u8;
    let mut v6_source = [0; 16];
    v6_source[1] = 0x20;
    v6_source[0] = 0xfd;
    let cases = [
        // 4500 + 4000 + 4000 + ac12 + 0a00 + 0001 = 17b13, folded 7b14.
        (
            Mode::Ipip,
            super::v4(1),
            true,
            Target {
                mode: ipip,
                outer_source: Address::v4([0xac, 0x12, 0, 0]),
                outer_checksum: 0x7b14,
                ..v4
            },
        ),
        (
            Mode::Ipip,
            v6_address,
            true,
            Target { mode: ipip, outer_source: Address::v6(v6_source), ..v6 },
        ),
        (Mode::L2dsr, super::v4(1), true, Target { mode: l2dsr, ..v4 }),
        (
            Mode::L2dsr,
            v6_address,
            false,
            Target {
                mode: l2dsr,
                flags: Target::VALID,
                mtu: 0,
                destination_mac: Mac::default(),
                source_mac: Mac::default(),
                interface: 0,
                ..v6
            },
        ),
    ];
    for (mode, address, resolved, expected) in cases {
        let mut world = World::new();
        world.config.tunnel.source_ipv4 = "172.18.0.0/16".parse().unwrap();
        world.config.tunnel.source_ipv6 = "fd20::/16".parse().unwrap();
        world.next_hops.insert(
            address,
            match resolved {
                true => NextHopState::Resolved(hop),
                false => NextHopState::Unresolved("no route".to_owned()),
            },
        );
        world.group("web", mode).target(address, 1, Some(Healthy));
        world.listener("203.0.113.1", "web");
        let plan = world.first_plan().unwrap();
        assert_eq!(plan.tables.targets[&1], expected, "{mode:?} {address}");
        assert_eq!(plan.tables.devices.contains(&7), resolved);
    }
}
