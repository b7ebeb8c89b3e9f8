//! Limits, growth, and how ids and rings are found again.

use lb_common::{
    Mode, RingRef,
    limits::{DEVICES_MAX, GROUPS_MAX, LISTENERS_MAX, RING_SLOTS_MAX, TARGETS_MAX},
    target::TargetState::{Healthy, Unhealthy},
};

use super::*;

fn of_targets(range: std::ops::Range<u16>) -> World {
    let mut world = World::new();
    world.group("web", Mode::Ipip);
    for number in range {
        world.target(v4(number), 1, Some(Healthy));
    }
    world.listener("203.0.113.1", "web");
    world
}

fn number(count: usize) -> u16 {
    u16::try_from(count).unwrap()
}

#[test]
fn configurations_that_do_not_fit_the_maps_are_refused() {
    let mut listeners = of_targets(1..2);
    for last in 0..number(LISTENERS_MAX) {
        let [high, low] = last.to_be_bytes();
        listeners.listener(&format!("203.1.{high}.{low}"), "web");
    }
    let mut groups = World::new();
    for name in 0..GROUPS_MAX {
        groups.group(&name.to_string(), Mode::Ipip);
    }
    let mut rings = World::new();
    for (name, last) in (0..=RING_SLOTS_MAX / 4096).zip(0_u16..) {
        rings.group(&name.to_string(), Mode::Ipip);
        rings.target(v4(1), 1, None);
        let [high, low] = last.to_be_bytes();
        rings.listener(&format!("203.1.{high}.{low}"), &name.to_string());
    }
    let mut devices = of_targets(1..number(DEVICES_MAX) + 2);
    for (interface, state) in (1..).zip(Arc::make_mut(&mut devices.next_hops).values_mut()) {
        *state = NextHopState::Resolved(hop(interface, true));
    }
    let mut dangling = of_targets(1..2);
    dangling.listener("203.0.113.2", "wbe");
    let cases = [
        (listeners, "the configuration has 4097 listeners, and the maps hold 4095: remove some"),
        (groups, "the configuration has 2048 target groups, and the maps hold 2047: remove some"),
        (
            of_targets(0..number(TARGETS_MAX)),
            "the configuration has 16384 targets, and the maps hold 16383: remove some",
        ),
        (devices, "the configuration has 65 interfaces towards targets, and the maps hold 64:"),
        (
            rings,
            "target group 1024 needs a ring of 4096 slots, and no free space of that length is left",
        ),
        (
            dangling,
            "listener 203.0.113.2-wbe forwards to target group wbe, which does not exist: define it",
        ),
    ];
    for (world, expected) in cases {
        let error = world.first_plan().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn old_and_new_must_fit_together() {
    let half = number(TARGETS_MAX) / 2;
    let before = of_targets(0..half + 1).first_plan().unwrap();
    let error = of_targets(half + 1..2 * half + 1).plan(&before.tables, &before.cache).unwrap_err();
    let expected = PlanError::NoRoomToReplace { what: "targets", limit: TARGETS_MAX - 1 };
    assert_eq!(error, expected);
}

#[test]
fn a_ring_grows_into_new_space_and_never_shrinks() {
    let small = of_targets(1..41).first_plan().unwrap();
    assert_eq!(small.tables.groups[&1].ring, RingRef::new(0, 12));
    let grown = of_targets(1..42).plan(&small.tables, &small.cache).unwrap();
    assert_eq!(grown.tables.groups[&1].ring, RingRef::new(8192, 13));
    let again = of_targets(1..3).plan(&grown.tables, &grown.cache).unwrap();
    assert_eq!(again.tables.groups[&1].ring, RingRef::new(8192, 13));

    let operations = diff(&small.tables, &grown.tables);
    let kinds: Vec<_> = operations
        .iter()
        .map(|operation| match operation {
            MapOp::PutTarget { fresh: true, .. } => "fresh target",
            MapOp::WriteSlots(slots) if slots.len() == 8192 => "whole ring",
            MapOp::PutGroup { .. } => "flip",
            MapOp::Quiesce => "quiesce",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["fresh target", "whole ring", "flip", "quiesce"]);
}

#[test]
fn a_change_of_health_writes_slots_first_and_waits_for_nothing() {
    let mut world = of_targets(1..11);
    let before = world.first_plan().unwrap();
    let key = before.targets.iter().nth(3).unwrap().key.clone();
    world.health.insert(key, verdict(Unhealthy));
    let after = world.plan(&before.tables, &before.cache).unwrap();
    match diff(&before.tables, &after.tables).as_slice() {
        [MapOp::WriteSlots(slots), MapOp::PutTarget { id: 4, fresh: false, .. }] => {
            assert!((400..600).contains(&slots.len()), "{} slots", slots.len());
        }
        other => panic!("{} operations", other.len()),
    }
}

#[test]
fn an_unchanged_group_costs_nothing() {
    let mut world = of_targets(1..11);
    world.group("other", Mode::Ipip).target(v4(99), 1, Some(Healthy));
    world.listener("203.0.113.2", "other");
    let before = world.first_plan().unwrap();
    let group = Arc::make_mut(&mut world.config.target_groups[1]);
    let gone = group.targets.pop().unwrap();
    group.targets.push(Target { weight: 2, ..gone });
    let after = world.plan(&before.tables, &before.cache).unwrap();
    let slots = |plan: &Plan| Arc::clone(&plan.tables.groups[&1].slots);
    assert!(Arc::ptr_eq(&slots(&before), &slots(&after)));
}
