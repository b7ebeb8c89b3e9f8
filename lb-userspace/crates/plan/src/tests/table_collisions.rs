//! Listeners that do not fit the table with the existing ones are refused before anything changes.

use lb_common::{Family, ListenerKey, limits::WIDE_LISTENERS_MAX};
use lb_config::listener_table::colliding;

use super::*;
use crate::{fake::FakeMaps, reconcile::Reconciler};

fn of_keys(keys: &[ListenerKey]) -> World {
    let mut world = World::new();
    world.group("web", Mode::Ipip).target(v4(1), 1, Some(TargetState::Healthy));
    for key in keys {
        world.listener(&key.address.to_ip(Family::V4).to_string(), "web");
        world.last_listener().ports = Ports::one(key.port.get());
    }
    world
}

#[test]
fn listeners_that_hash_to_one_place_are_refused_before_anything_changes() {
    let keys = colliding(64);
    let (one, other) = keys.split_at(32);
    let maps = FakeMaps::default();
    let mut reconciler = Reconciler::new(maps.open());
    let mut change = |keys: &[ListenerKey]| {
        let world = of_keys(keys);
        let plan = reconciler.plan(|previous| world.plan(previous, &Cache::default()))?;
        reconciler.apply(&plan).map(|_| ())
    };
    change(one).unwrap();
    let before = maps.tables();
    let _operations = maps.take_operations();
    let messages = change(other).unwrap_err().to_string();
    assert!(messages.starts_with("the listener on 203.0.113."), "{messages}");
    assert!(
        messages.contains("/tcp does not fit the table of listeners: too many others"),
        "{messages}"
    );
    assert!(maps.take_operations().is_empty());
    assert_eq!(maps.tables(), before);
    change(&[&one[1..], &other[..1]].concat()).unwrap_err();
    change(&one[1..]).unwrap();
    change(&[&one[1..], &other[..1]].concat()).unwrap();
    change(&[]).unwrap();
    change(other).unwrap();
    assert_eq!(maps.hazards(), Vec::<String>::new());
}

#[test]
fn wide_listeners_are_replaced_where_both_fit() {
    let many = |from: usize, count: usize| {
        let mut world = World::new();
        world.group("web", Mode::Ipip).target(v4(1), 1, Some(TargetState::Healthy));
        for number in from..from + count {
            world.listener(&format!("203.{}.{}.1", number / 250, number % 250), "web");
            world.last_listener().ports = Ports { first: 80, last: 89 };
        }
        world
    };
    let half = WIDE_LISTENERS_MAX / 2;
    let before = many(0, half + 1).first_plan().unwrap();
    let after = many(half + 1, half - 1).plan(&before.tables, &before.cache).unwrap();
    assert_eq!(after.tables.wide.len(), half - 1);
    let error = many(half + 1, half).plan(&before.tables, &before.cache).unwrap_err();
    let what = "listeners on port ranges or prefixes";
    assert_eq!(error, PlanError::NoRoomToReplace { what, limit: WIDE_LISTENERS_MAX });
}
