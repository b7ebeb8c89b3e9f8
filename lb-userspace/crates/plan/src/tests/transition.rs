//! Listeners that switch to another group, and groups that are renamed or deleted, plan after plan.
//! The simulation shows that connections keep their targets; these tests cover the rest.

use lb_common::{
    Slot,
    target::TargetState::{Draining, Healthy, Initial, Unused},
};

use super::*;

const HEALTHY: Option<TargetState> = Some(Healthy);

/// Blue has targets 1 and 2, green 3 and 4; one listener forwards to blue.
pub(super) fn world() -> World {
    let mut world = World::new();
    for (name, numbers) in [("blue", [1, 2]), ("green", [3, 4])] {
        world.group(name, Mode::Ipip);
        for number in numbers {
            world.target(v4(number), 100, HEALTHY);
        }
    }
    world.listener("203.0.113.1", "blue");
    world
}

pub(super) fn next(world: &World, before: &Plan) -> Plan {
    let plan = world.plan(&before.tables, &before.cache).unwrap();
    let anew = world.plan(&before.tables, &Cache::default()).unwrap();
    assert_eq!(plan.tables, anew.tables);
    assert_eq!(faults(&plan.tables), Vec::<String>::new());
    plan
}

/// The group that the listener's entry names.
pub(super) fn group_of(plan: &Plan) -> &GroupTable {
    let listener = plan.tables.all_listeners().next().unwrap();
    &plan.tables.groups[&listener.group]
}

fn states(plan: &Plan) -> Vec<(TargetState, bool)> {
    let routable = |id| plan.tables.targets[&id].is_routable();
    plan.targets.iter().map(|report| (report.state, routable(report.id))).collect()
}

/// Groups in the maps that are rings of listeners in transition.
fn on_their_way(plan: &Plan) -> usize {
    plan.tables.groups.values().filter(|group| is_transition(&group.name)).count()
}

#[test]
fn an_unused_group_is_checked_and_gets_no_packets() {
    let mut world = world();
    let plan = world.first_plan().unwrap();
    let none = (Healthy, false);
    assert_eq!(states(&plan), [(Healthy, true), (Healthy, true), none, none]);
    world.health = HealthTable::default();
    let plan = world.first_plan().unwrap();
    assert_eq!(states(&plan)[2], (Initial, false));
    // Such a check needs the address of a listener.
    Arc::make_mut(&mut world.config.target_groups[1]).health_check.via = Via::Tunnel;
    assert_eq!(states(&world.first_plan().unwrap())[2], (Unused, false));
}

#[test]
fn a_listener_takes_its_ring_along_and_gives_it_back() {
    let mut world = world();
    let first = world.first_plan().unwrap();
    world.last_listener().target_group = "green".to_owned();
    let led = next(&world, &first);
    let ring = group_of(&led);
    assert!(is_transition(&ring.name) && ring.slots.iter().all(|slot| slot.is_armed()));
    assert_eq!(led.cache.armed(), ring.slots.len());
    let draining = (Draining, true);
    assert_eq!(states(&led), [draining, draining, (Healthy, true), (Healthy, true)]);
    // A new agent must not restore them as drained by a command.
    let flags = led.tables.targets.values().map(|target| target.flags & lb_common::Target::LEAVING);
    assert_eq!(flags.filter(|flag| *flag != 0).count(), 2);

    // On the switch back nothing is disarmed.
    world.last_listener().target_group = "blue".to_owned();
    let back = next(&world, &led);
    assert!(group_of(&back).slots.iter().all(|slot| slot.is_armed()));

    world.idle_slots = (group_of(&back).ring.base()..).take(group_of(&back).slots.len()).collect();
    let settled = next(&world, &back);
    assert_eq!((&*group_of(&settled).name, on_their_way(&settled)), ("blue", 0));
}

#[test]
fn its_ring_stays_its_own_while_the_group_has_armed_slots() {
    let mut world = world();
    let first = world.first_plan().unwrap();
    world.last_listener().target_group = "green".to_owned();
    world.listener("203.0.113.2", "green");
    let led = next(&world, &first);
    world.drained.insert(TargetKey { group: "green".into(), address: v4(3), port: 80 });
    let drained = next(&world, &led);
    let ring = group_of(&drained).ring;
    world.idle_slots = (ring.base()..).take(ring.len()).collect();
    let idle_slots = next(&world, &drained);
    assert!(is_transition(&group_of(&idle_slots).name), "the slots of green are armed");
    assert!(group_of(&idle_slots).slots.iter().all(|slot| !slot.is_armed()));
}

#[test]
fn listeners_with_the_same_switch_share_a_ring_and_others_do_not() {
    let mut world = world();
    world.listener("203.0.113.2", "blue");
    world.listener("203.0.113.3", "blue");
    let first = world.first_plan().unwrap();
    for listener in &mut world.config.listeners[..2] {
        Arc::make_mut(listener).target_group = "green".to_owned();
    }
    let led = next(&world, &first);
    assert_eq!(on_their_way(&led), 1);
    // One goes back, and must not take the other with it.
    world.now += 10;
    Arc::make_mut(&mut world.config.listeners[0]).target_group = "blue".to_owned();
    let apart = next(&world, &led);
    assert_eq!(on_their_way(&apart), 2);
    let owners = |number: usize| {
        let listener = apart.tables.all_listeners().nth(number).unwrap();
        let slots = &apart.tables.groups[&listener.group].slots;
        slots.iter().map(|slot| slot.current).collect::<BTreeSet<_>>()
    };
    assert_eq!([owners(0), owners(1)], [[1, 2].into(), [3, 4].into()]);
}

#[test]
fn a_listener_waits_for_a_group_without_verdicts() {
    let mut world = world();
    let first = world.first_plan().unwrap();
    world.health =
        [1, 2].map(v4).into_iter().fold(HealthTable::default(), |mut health, address| {
            let key = TargetKey { group: "blue".into(), address, port: 80 };
            health.insert(key, verdict(Healthy));
            health
        });
    world.last_listener().target_group = "green".to_owned();
    let waits = next(&world, &first);
    let before: Vec<Slot> = group_of(&first).slots.to_vec();
    assert_eq!(group_of(&waits).slots.to_vec(), before);
    let keeps = "keep their previous targets";
    assert!(waits.warnings.iter().any(|warning| warning.text.contains(keeps)));
    let key = TargetKey { group: "green".into(), address: v4(3), port: 80 };
    world.health.insert(key, verdict(Healthy));
    let led = next(&world, &waits);
    assert!(group_of(&led).slots.iter().all(|slot| slot.current == 3 && slot.home < 3));
}

/// Both groups that are new have servers of blue; the order in the file does not matter.
#[test]
fn a_renamed_group_is_the_one_with_most_of_its_servers() {
    let mut world = world();
    let first = world.first_plan().unwrap();
    world.config.target_groups.remove(0);
    for (name, numbers) in [("grey", &[1][..]), ("navy", &[1, 2])] {
        world.group(name, Mode::Ipip);
        for number in numbers {
            world.target(v4(*number), 100, HEALTHY);
        }
    }
    world.last_listener().target_group = "navy".to_owned();
    for _ in 0..2 {
        let found = renamed(&world.config, &first.tables);
        let to: Vec<_> = found.iter().map(|one| (&*one.from, &*one.to)).collect();
        assert_eq!(to, [("blue", "navy")]);
        world.config.target_groups.reverse();
    }
}

#[test]
fn a_renamed_group_is_the_same_group() {
    let mut world = world();
    let key = TargetKey { group: "blue".into(), address: v4(2), port: 80 };
    world.drained.insert(key);
    let first = world.first_plan().unwrap();
    Arc::make_mut(&mut world.config.target_groups[0]).name = "navy".into();
    world.last_listener().target_group = "navy".to_owned();
    let renamed = next(&world, &first);
    assert_eq!(&*group_of(&renamed).name, "navy");
    assert!(Arc::ptr_eq(&group_of(&renamed).slots, &group_of(&first).slots), "a slot moved");
    assert_eq!(renamed.tables.targets, first.tables.targets);
    assert_eq!(states(&renamed), states(&first));
    // With no server in common it is another one.
    Arc::make_mut(&mut world.config.target_groups[0]).name = "red".into();
    world.config.target_groups[0] = Arc::new(TargetGroup {
        targets: vec![Target { address: v4(9), port: 80, weight: 1, backup: false }],
        ..TargetGroup::clone(&world.config.target_groups[0])
    });
    assert_eq!(super::renamed(&world.config, &renamed.tables), []);
}

#[test]
fn targets_of_a_deleted_group_finish_their_flows() {
    let mut world = world();
    let first = world.first_plan().unwrap();
    world.last_listener().target_group = "green".to_owned();
    world.config.target_groups.remove(0);
    let mut plan = next(&world, &first);
    assert_eq!(states(&plan)[2..], [(Draining, true); 2]);
    assert!(plan.targets.iter().skip(2).all(|report| report.leaving));
    assert_eq!(plan.next_change, Some(1300));
    world.now = 1300;
    plan = next(&world, &plan);
    assert_eq!((plan.targets.len(), plan.tables.groups.len()), (2, 2));
    assert!(group_of(&plan).slots.iter().all(|slot| slot.home > 2), "a home that is gone");
    assert_eq!(plan.tables.resting.len(), 2);
}

/// The verdicts on them may have been lost with an agent.
#[test]
fn targets_that_come_back_without_a_verdict_keep_their_flows() {
    let mut world = world();
    let first = world.first_plan().unwrap();
    world.last_listener().target_group = "green".to_owned();
    let blue = world.config.target_groups.remove(0);
    let led = next(&world, &first);
    let mut health = HealthTable::default();
    for number in [3, 4] {
        let key = TargetKey { group: "green".into(), address: v4(number), port: 80 };
        health.insert(key, verdict(Healthy));
    }
    world.health = health;
    world.config.target_groups.insert(0, blue);
    world.last_listener().target_group = "blue".to_owned();
    let back = next(&world, &led);
    assert_eq!(states(&back)[..2], [(Initial, true); 2]);
}

/// Bindings name their targets, so that no ring has to go along.
#[test]
fn translated_flows_need_no_ring_of_their_own() {
    let mut world = world();
    for group in &mut world.config.target_groups {
        Arc::make_mut(group).forwarding = Mode::Nat;
    }
    let first = world.first_plan().unwrap();
    world.last_listener().target_group = "green".to_owned();
    let led = next(&world, &first);
    assert_eq!((&*group_of(&led).name, on_their_way(&led)), ("green", 0));
    assert_eq!(states(&led)[..2], [(Draining, true); 2]);
}
