//! Backup targets, quorum and sorry groups: who takes new flows, and that flows in progress stay.

use lb_common::{
    Mode,
    target::TargetState::{Healthy, Unhealthy},
};
use lb_config::TargetKey;

use super::{World, v4, verdict};
use crate::{Cache, Plan, Tables};

/// A group of targets, each a backup or not, and a listener; all targets are healthy.
fn world(backups: &[bool]) -> (World, Vec<TargetKey>) {
    let mut world = World::new();
    world.group("web", Mode::Ipip);
    let keys = (1..)
        .zip(backups)
        .map(|(number, backup)| {
            let key = world.target(v4(number), 100, Some(Healthy));
            world.first_group().targets.last_mut().unwrap().backup = *backup;
            key
        })
        .collect();
    world.listener("203.0.113.1", "web");
    (world, keys)
}

fn in_ring(plan: &Plan) -> Vec<bool> {
    plan.targets.iter().map(|report| report.in_ring).collect()
}

fn kinds(plan: &Plan) -> Vec<&'static str> {
    plan.warnings.iter().map(|warning| warning.kind.name()).collect()
}

#[test]
fn backups_take_flows_while_too_few_others_are_healthy() {
    let (mut world, keys) = world(&[false, false, true]);
    world.first_group().life.backup_threshold = 2;
    let plan = world.first_plan().unwrap();
    assert_eq!((in_ring(&plan), kinds(&plan)), (vec![true, true, false], vec![]));
    let detail = plan.targets.iter().last().unwrap().detail.clone();
    assert_eq!(detail, "backup: takes new flows while fewer than 2 other targets are healthy");

    world.health.insert(keys[0].clone(), verdict(Unhealthy));
    let plan = world.first_plan().unwrap();
    assert_eq!((in_ring(&plan), kinds(&plan)), (vec![false, true, true], vec!["backups_in_use"]));
    assert_eq!(
        plan.warnings[0].text,
        "target group web: 1 of 2 targets that are no backups are healthy, fewer than \
         backup_threshold (2); new flows also go to 1 backup targets"
    );

    // Without any healthy target, those of the first choice are used: fail open.
    for key in &keys {
        world.health.insert(key.clone(), verdict(Unhealthy));
    }
    let plan = world.first_plan().unwrap();
    assert_eq!((in_ring(&plan), kinds(&plan)), (vec![true, true, true], vec!["fail_open"]));
}

#[test]
fn where_all_are_backups_none_is() {
    let (world, _) = world(&[true, true]);
    let plan = world.first_plan().unwrap();
    assert_eq!((in_ring(&plan), kinds(&plan)), (vec![true, true], vec![]));
}

/// The slots of the group's ring, and the entry of a target.
fn routable(plan: &Plan, key: &TargetKey) -> bool {
    let report = plan.targets.iter().find(|report| report.key == *key).unwrap();
    plan.tables.targets[&report.id].is_routable()
}

#[test]
fn flows_of_a_backup_stay_when_it_is_no_longer_needed() {
    let (mut world, keys) = world(&[false, true]);
    world.health.insert(keys[0].clone(), verdict(Unhealthy));
    let first = world.first_plan().unwrap();
    assert_eq!(in_ring(&first), [false, true]);
    world.health.insert(keys[0].clone(), verdict(Healthy));
    let second = world.plan(&first.tables, &first.cache).unwrap();
    assert_eq!(in_ring(&second), [true, false]);
    assert!(routable(&second, &keys[1]), "its flows may go there");
    let backup = second.targets.iter().last().unwrap().id;
    let group = &second.tables.groups[&1];
    assert!(group.slots.iter().all(|slot| slot.is_armed() && slot.home == backup));
}

#[test]
fn below_its_quorum_a_group_takes_no_new_flows_and_keeps_those_that_it_has() {
    let (mut world, keys) = world(&[false, false, false]);
    world.first_group().life.quorum = 2;
    let first = world.first_plan().unwrap();
    assert_eq!((in_ring(&first), kinds(&first)), (vec![true; 3], vec![]));
    for key in &keys[..2] {
        world.health.insert(key.clone(), verdict(Unhealthy));
    }
    let second = world.plan(&first.tables, &first.cache).unwrap();
    assert_eq!((in_ring(&second), kinds(&second)), (vec![false; 3], vec!["quorum_lost"]));
    let healthy = second.targets.iter().last().unwrap().id;
    let slots = &second.tables.groups[&1].slots;
    assert!(slots.iter().all(|slot| slot.current == 0), "new flows go nowhere");
    assert!(slots.iter().any(|slot| slot.home == healthy), "those in progress stay");
    assert!(routable(&second, &keys[2]));
    world.health.insert(keys[0].clone(), verdict(Healthy));
    let third = world.plan(&second.tables, &second.cache).unwrap();
    assert_eq!((in_ring(&third), kinds(&third)), (vec![true, false, true], vec![]));
}

/// A listener on `web`, with `sorry` behind it; one healthy target each.
fn sorry_world() -> (World, TargetKey, TargetKey) {
    let mut world = World::new();
    world.group("web", Mode::Ipip);
    let web = world.target(v4(1), 100, Some(Healthy));
    world.group("sorry", Mode::Ipip);
    let sorry = world.target(v4(2), 100, Some(Healthy));
    world.listener("203.0.113.1", "web");
    world.last_listener().sorry_target_group = Some("sorry".to_owned());
    (world, web, sorry)
}

/// The target of new flows, and of those that began before, in the ring of the listener.
fn owners(plan: &Plan) -> (u16, u16) {
    let listener = plan.tables.listeners.values().next().unwrap();
    let slot = plan.tables.groups[&listener.group].slots[0];
    (slot.current, if slot.is_armed() { slot.home } else { slot.current })
}

fn id(plan: &Plan, key: &TargetKey) -> u16 {
    plan.targets.iter().find(|report| report.key == *key).unwrap().id
}

#[test]
fn a_listener_goes_to_its_sorry_group_and_back() {
    let (mut world, web, sorry) = sorry_world();
    let first = world.first_plan().unwrap();
    assert_eq!(owners(&first), (id(&first, &web), id(&first, &web)));
    assert!(first.sorry.is_empty() && kinds(&first).is_empty());

    world.health.insert(web.clone(), verdict(Unhealthy));
    let second = world.plan(&first.tables, &first.cache).unwrap();
    assert_eq!(owners(&second).0, id(&second, &sorry));
    assert_eq!((second.sorry.len(), kinds(&second)), (1, vec!["sorry_group_in_use"]));

    // Back: slots stay armed, so that flows that began with the sorry group are remembered there.
    world.health.insert(web.clone(), verdict(Healthy));
    let third = world.plan(&second.tables, &second.cache).unwrap();
    assert_eq!(owners(&third).0, id(&third, &web));
    let listener = third.tables.listeners.values().next().unwrap();
    assert!(third.tables.groups[&listener.group].slots.iter().all(|slot| slot.is_armed()));
    assert!(routable(&third, &sorry) && third.sorry.is_empty() && kinds(&third).is_empty());
}

#[test]
fn a_sorry_group_without_a_healthy_target_is_not_used() {
    let (mut world, web, sorry) = sorry_world();
    world.health.insert(web.clone(), verdict(Unhealthy));
    world.health.insert(sorry, verdict(Unhealthy));
    let plan = world.plan(&Tables::default(), &Cache::default()).unwrap();
    assert_eq!(owners(&plan).0, id(&plan, &web), "fail open");
    assert!(plan.sorry.is_empty());
}

#[test]
fn a_quorum_sends_listeners_to_the_sorry_group() {
    let (mut world, web, sorry) = sorry_world();
    world.first_group().life.quorum = 1;
    world.health.insert(web, verdict(Unhealthy));
    let plan = world.first_plan().unwrap();
    assert_eq!(owners(&plan).0, id(&plan, &sorry));
    assert_eq!(kinds(&plan), ["sorry_group_in_use"]);
}
