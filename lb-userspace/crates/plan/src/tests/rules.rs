//! Which targets take traffic, their reported states, and the warnings.

use lb_common::{
    Mode, RingRef, Slot,
    target::TargetState::{self, Draining, Healthy, Initial, Unhealthy},
};

use super::*;

/// What is known of a target.
#[derive(Clone, Copy)]
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

fn world(case: &Case) -> World {
    let mut world = World::new();
    world.group("web", case.mode);
    for (number, given) in (1..).zip(case.targets) {
        let address = v4(number);
        let key = world.target(address, given.weight.unwrap_or(1), given.health);
        let state = match given.hop {
            Some(Hop::Unresolved) => NextHopState::Unresolved(format!("no route to {address}")),
            Some(Hop::Behind) => NextHopState::Resolved(hop(2, false)),
            None | Some(Hop::Unknown) => NextHopState::Resolved(hop(1, true)),
        };
        Arc::make_mut(&mut world.next_hops).insert(address, state);
        if matches!(given.hop, Some(Hop::Unknown)) {
            Arc::make_mut(&mut world.next_hops).remove(&address);
        }
        if given.drained {
            world.drained.insert(key);
        }
    }
    if case.used {
        world.listener("203.0.113.1", "web");
    }
    world
}

fn check(case: &Case) {
    let name = case.name;
    let plan = world(case).first_plan().unwrap();
    let found: Vec<_> =
        plan.targets.iter().map(|report| (report.state, report.reason, report.in_ring)).collect();
    assert_eq!(found, case.expected, "{name}");
    assert_eq!(plan.warnings, case.warnings, "{name}");

    let group = &plan.tables.groups[&1];
    let slots = |id| group.slots.iter().filter(|slot| **slot == Slot::unarmed(id)).count();
    for report in &plan.targets {
        let has = slots(report.id);
        assert_eq!(has > 0, report.in_ring, "{name}: {}", report.key);
        let share = f64::from(u32::try_from(has).unwrap()) / 4096.0;
        assert!((report.share - share).abs() < 1e-9, "{name}: {report:?}");
        let state = plan.tables.targets[&report.id].state;
        assert_eq!(state, report.state as u8, "{name}");
    }
    let has_ring = case.used && !case.targets.is_empty();
    let ring = if has_ring { RingRef::new(0, 12) } else { RingRef::NONE };
    assert_eq!(group.ring, ring, "{name}");
    let nobody = has_ring && !plan.targets.iter().any(|report| report.in_ring);
    assert_eq!(slots(0), if nobody { 4096 } else { 0 }, "{name}");
    assert_eq!(faults(&plan.tables), Vec::<String>::new(), "{name}");
}

#[test]
fn membership_and_states() {
    CASES.iter().for_each(check);
}

const TIMEOUT: Option<Reason> = Some(Reason::Timeout);
const CHECKING: Option<Reason> = Some(Reason::InitialHealthChecking);
const UNUSABLE: Option<Reason> = Some(Reason::IpUnusable);
const LEAVING: Option<Reason> = Some(Reason::DeregistrationInProgress);
const DRAINED: Given = Given { drained: true, ..HEALTHY };

/// A group that a listener uses, in mode ipip.
const fn used(
    name: &'static str,
    targets: &'static [Given],
    expected: &'static [(TargetState, Option<Reason>, bool)],
    warnings: &'static [&'static str],
) -> Case {
    Case { name, used: true, mode: Mode::Ipip, targets, expected, warnings }
}

const CASES: &[Case] = &[
    used(
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
    used(
        "all unhealthy",
        &[UNHEALTHY, UNHEALTHY, UNHEALTHY],
        &[(Unhealthy, TIMEOUT, true); 3],
        &["target group web: no target is healthy, fewer than minimum_healthy_targets (1); \
               failing open to all 3 targets"],
    ),
    used(
        "the only one is unhealthy",
        &[UNHEALTHY],
        &[(Unhealthy, TIMEOUT, true)],
        &["target group web: no target is healthy, fewer than minimum_healthy_targets (1); \
               failing open to its only target"],
    ),
    used(
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
        &["target group web: no target is healthy, fewer than minimum_healthy_targets (1); \
               failing open to 1 of 4 targets"],
    ),
    used(
        "initial targets get nothing before their first success",
        &[NEW, Given { health: Some(Initial), ..NEW }],
        &[(Initial, CHECKING, false); 2],
        &["target group web: no target may take traffic (2 waiting for the first health check); \
               packets for its listeners are dropped and counted as no_target"],
    ),
    used(
        "no next hop",
        &[
            Given { hop: Some(Hop::Unresolved), ..HEALTHY },
            Given { hop: Some(Hop::Unknown), ..UNHEALTHY },
            HEALTHY,
        ],
        &[(Healthy, UNUSABLE, false), (Unhealthy, TIMEOUT, false), (Healthy, None, true)],
        &["target group web: 1 of 3 targets have no usable next hop and take no traffic \
               (10.0.0.1: no route to 10.0.0.1)"],
    ),
    used(
        "a next hop that is being looked up is no warning",
        &[Given { hop: Some(Hop::Unknown), ..HEALTHY }, Given { hop: Some(Hop::Unknown), ..NEW }],
        &[(Healthy, None, false), (Initial, CHECKING, false)],
        &["target group web: no target may take traffic (1 waiting for the first health check, 1 \
               whose next hop is being looked up); packets for its listeners are dropped and counted \
               as no_target"],
    ),
    Case {
        mode: Mode::L2dsr,
        ..used(
            "l2dsr behind a router",
            &[Given { hop: Some(Hop::Behind), ..HEALTHY }, HEALTHY],
            &[(Healthy, UNUSABLE, false), (Healthy, None, true)],
            &["target group web: 1 of 2 targets have no usable next hop and take no traffic \
               (10.0.0.1: 10.0.0.1 is behind a router, and l2dsr reaches only targets on the same \
               layer 2 network: use forwarding ipip, or connect this host to the network of the \
               target)"],
        )
    },
    used(
        "ipip behind a router",
        &[Given { hop: Some(Hop::Behind), ..HEALTHY }],
        &[(Healthy, None, true)],
        &[],
    ),
    Case {
        used: false,
        ..used(
            "no listener",
            &[HEALTHY, DRAINED],
            &[(Healthy, None, false), (Draining, LEAVING, false)],
            &[],
        )
    },
    used(
        "no targets",
        &[],
        &[],
        &["target group web: it has no targets; packets for its listeners are dropped and \
               counted as ring_missing"],
    ),
];

/// Answers leave by the interface that the client's packets came in by.
#[test]
fn translated_packets_may_leave_by_the_attached_interfaces() {
    for (mode, expected) in [(Mode::Ipip, [1].into()), (Mode::Nat, BTreeSet::from([1, 5]))] {
        let mut world = World::new();
        world.group("web", mode).target([10, 0, 0, 1].into(), 1, Some(Healthy));
        world.listener("203.0.113.1", "web");
        let tables = world.first_plan().unwrap().tables;
        assert_eq!(tables.devices, expected, "{mode:?}");
        assert_eq!(tables.switches.has(lb_common::Switches::NAT), mode == Mode::Nat, "{mode:?}");
    }
}

/// Targets that this host cannot check keep their flows unless another one is known to be healthy.
#[test]
fn targets_that_cannot_be_checked_leave_the_ring_only_for_better_ones() {
    let unknown = |state| Health {
        state,
        reason: Some(Reason::InternalError),
        detail: "this host cannot check it: no program".to_owned(),
    };
    let (healthy, dead) = (verdict(Healthy), verdict(Unhealthy));
    for (verdicts, in_ring, warned) in [
        (vec![unknown(Healthy), healthy.clone()], vec![true, true], 1),
        (vec![unknown(Unhealthy), healthy], vec![false, true], 1),
        (vec![unknown(Unhealthy), unknown(Healthy)], vec![true, true], 2),
        (vec![unknown(Unhealthy), unknown(Healthy), dead], vec![true, true, false], 2),
        (vec![unknown(Unhealthy), unknown(Unhealthy)], vec![true, true], 2),
    ] {
        let mut world = World::new();
        world.group("web", Mode::Ipip);
        for (number, verdict) in (1..).zip(&verdicts) {
            let address = v4(number);
            let key = world.target(address, 1, Some(Healthy));
            world.health.insert(key, verdict.clone());
            let hop = NextHopState::Resolved(hop(1, true));
            Arc::make_mut(&mut world.next_hops).insert(address, hop);
        }
        world.listener("203.0.113.1", "web");
        let plan = world.first_plan().unwrap();
        let found: Vec<bool> = plan.targets.iter().map(|report| report.in_ring).collect();
        assert_eq!(found, in_ring, "{verdicts:?}");
        let all = verdicts.len();
        let text = format!("target group web: this host cannot check {warned} of {all} targets");
        let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|warning| warning.starts_with(&text)), "{warnings:?}");
    }
}
