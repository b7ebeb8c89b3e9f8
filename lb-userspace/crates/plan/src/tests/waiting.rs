//! Listeners that switch to a group without a target in service wait, and the answer to the change
//! says so.

use lb_common::target::TargetState::{Draining, Healthy, Initial, Unhealthy};

use super::{
    transition::{group_of, next, world},
    *,
};
use crate::{fake::FakeMaps, warning::WarningKind};

/// What is known of the targets of green, 3 and 4.
fn judge(world: &mut World, states: [TargetState; 2]) {
    for (number, state) in [3, 4].into_iter().zip(states) {
        let key = TargetKey { group: "green".into(), address: v4(number), port: 80 };
        world.health.insert(key, verdict(state));
    }
}

fn owners(plan: &Plan) -> BTreeSet<u16> {
    group_of(plan).slots.iter().map(|slot| slot.current).collect()
}

fn kinds(plan: &Plan) -> Vec<WarningKind> {
    plan.warnings.iter().map(|warning| warning.kind).collect()
}

/// The listener switches to green, whose targets are in these states.
fn led(states: [TargetState; 2]) -> (World, Plan) {
    let mut world = world();
    let first = world.first_plan().unwrap();
    judge(&mut world, states);
    world.last_listener().target_group = "green".to_owned();
    let plan = next(&world, &first);
    (world, plan)
}

#[test]
fn it_waits_for_a_healthy_target_and_nothing_is_dropped() {
    for states in [[Initial, Initial], [Unhealthy, Initial], [Unhealthy, Unhealthy]] {
        let (mut world, waits) = led(states);
        assert_eq!(owners(&waits), [1, 2].into(), "{states:?}");
        // No target of green gets packets, and none is lost.
        assert_eq!(kinds(&waits), [WarningKind::SwitchWaits], "{states:?}");
        judge(&mut world, [Healthy, Unhealthy]);
        let served = next(&world, &waits);
        assert_eq!((owners(&served), served.waiting.len()), ([3].into(), 0), "{states:?}");
        // It is green's now, whatever becomes of it.
        judge(&mut world, [Unhealthy, Unhealthy]);
        let open = next(&world, &served);
        assert_eq!(owners(&open), [3, 4].into(), "{states:?}");
        assert_eq!(kinds(&open), [WarningKind::FailOpen], "{states:?}");
    }
}

/// The same change drains the targets of the previous group, which another listener has.
#[test]
fn it_leaves_its_group_before_that_loses_its_targets() {
    let mut world = world();
    world.listener("203.0.113.2", "blue");
    let first = world.first_plan().unwrap();
    judge(&mut world, [Initial, Initial]);
    Arc::make_mut(&mut world.config.listeners[0]).target_group = "green".to_owned();
    for number in [1, 2] {
        world.drained.insert(TargetKey { group: "blue".into(), address: v4(number), port: 80 });
    }
    let waits = next(&world, &first);
    assert_eq!(waits.waiting.len(), 1);
    let maps = FakeMaps::holding(&first.tables);
    let mut store = maps.open();
    for operation in diff(&first.tables, &waits.tables) {
        store.apply(&operation).unwrap();
        let now = maps.tables();
        let mut listeners = now.all_listeners();
        let listener = listeners.find(|listener| waits.waiting.contains(&listener.id)).unwrap();
        let owners: BTreeSet<u16> =
            now.groups[&listener.group].slots.iter().map(|slot| slot.current).collect();
        assert_eq!(owners, [1, 2].into(), "{operation:?}");
    }
}

#[test]
fn another_listener_of_the_group_is_warned_of() {
    let (mut world, waits) = led([Initial, Initial]);
    world.listener("203.0.113.2", "green");
    let both = next(&world, &waits);
    assert_eq!(kinds(&both), [WarningKind::NoTargetInService, WarningKind::SwitchWaits]);
}

#[test]
fn a_waiting_listener_spreads_the_slots_of_a_dead_target() {
    let (mut world, waits) = led([Initial, Initial]);
    let dead = TargetKey { group: "blue".into(), address: v4(1), port: 80 };
    world.health.insert(dead, verdict(Unhealthy));
    let plan = next(&world, &waits);
    assert_eq!(owners(&plan), [2].into());
    assert_eq!(next(&world, &plan).tables, plan.tables, "and that is that");
    // Nobody is left: green is used as it is.
    let dead = TargetKey { group: "blue".into(), address: v4(2), port: 80 };
    world.health.insert(dead, verdict(Unhealthy));
    judge(&mut world, [Unhealthy, Unhealthy]);
    assert_eq!(owners(&next(&world, &plan)), [3, 4].into());
}

#[test]
fn a_change_is_refused_only_when_waiting_is_in_vain() {
    let before = world();
    let first = before.first_plan().unwrap();
    let judged = |states: [TargetState; 2]| {
        let (world, plan) = led(states);
        let unserved = unserved((&before.config, &first.targets), (&world.config, &plan));
        (unserved.left.join("\n"), unserved.waiting.join("\n"))
    };
    let waits = "listener 203.0.113.1-blue: no target of green has been checked yet; it keeps the \
                 targets of blue until one is healthy";
    for states in [[Initial, Initial], [Unhealthy, Initial]] {
        assert_eq!(judged(states), (String::new(), waits.to_owned()), "{states:?}");
    }
    let dead = "listener 203.0.113.1-blue: its target group green has 2 targets, none of which";
    let (left, waiting) = judged([Unhealthy, Unhealthy]);
    assert!(left.starts_with(dead) && waiting.is_empty(), "{left} {waiting}");
    assert_eq!(judged([Healthy, Unhealthy]), <(String, String)>::default());
    // A listener whose flows are looked up differently does not wait.
    let (mut world, _) = led([Initial, Initial]);
    Arc::make_mut(&mut world.config.target_groups[1]).forwarding = Mode::Nat;
    let plan = next(&world, &first);
    let unserved = unserved((&before.config, &first.targets), (&world.config, &plan));
    assert_eq!((unserved.left.len(), unserved.waiting.len()), (1, 0));
}

/// Deleted while no agent ran: the plan of a new one has no cache.
#[test]
fn a_deleted_group_drains_for_its_own_delay() {
    let mut world = world();
    Arc::make_mut(&mut world.config.target_groups[0]).life.deregistration_delay =
        Duration::from_secs(7);
    let first = world.first_plan().unwrap();
    world.last_listener().target_group = "green".to_owned();
    let blue = world.config.target_groups.remove(0);
    for (removed, until) in [(vec![], 1300), (vec![blue], 1007)] {
        world.removed = removed;
        let plan = world.plan(&first.tables, &Cache::default()).unwrap();
        let leaving: Vec<_> = plan.targets.iter().filter(|report| report.leaving).collect();
        assert_eq!(leaving.len(), 2);
        assert!(leaving.iter().all(|one| one.state == Draining && one.until == Some(until)));
    }
}
