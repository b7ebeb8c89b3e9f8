//! Properties of DESIGN section 5, over random sequences of worlds and a failure at every point.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{
    ListenerKey, Mode, RingRef,
    target::TargetState::{Healthy, Initial, Unhealthy},
};
use proptest::prelude::*;

use super::*;
use crate::{
    MapStore,
    fake::{FakeMaps, Moment},
};

/// The pools are small, so that worlds overlap: the same target comes, goes and changes.
const GROUPS: [&str; 4] = ["a", "b", "c", "d"];
const VIPS: [&str; 5] = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "2001:db8::1", "2001:db8::2"];

fn address(number: u16) -> IpAddr {
    if number % 4 == 3 { IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, number]) } else { v4(number) }
}

#[derive(Clone, Debug)]
struct RandomTarget {
    number: u16,
    weight: u32,
    health: u8,
    drained: bool,
}

fn targets() -> impl Strategy<Value = Vec<RandomTarget>> {
    let weight = prop_oneof![4 => Just(1_u32), 1 => Just(0), 1 => Just(7), 1 => Just(1000)];
    let target = |number| {
        (number, weight.clone(), 0_u8..8, prop::bool::weighted(0.1)).prop_map(
            |(number, weight, health, drained)| RandomTarget { number, weight, health, drained },
        )
    };
    prop_oneof![
        8 => prop::collection::vec(target(0_u16..10), 0..6),
        // Enough to make a ring grow.
        1 => prop::collection::vec(target(0_u16..200), 60..70),
    ]
}

/// Which groups there are, with their mode and targets; their order; listeners; next hops.
fn world() -> impl Strategy<Value = World> {
    let group = prop::option::weighted(0.7, (any::<bool>(), targets()));
    (
        prop::array::uniform4(group),
        any::<bool>(),
        prop::array::uniform5(prop::option::weighted(0.6, 0_usize..4)),
        prop::collection::vec(0_u8..12, 200),
    )
        .prop_map(|(groups, reversed, listeners, hops)| build(&groups, reversed, &listeners, &hops))
}

fn build(
    groups: &[Option<(bool, Vec<RandomTarget>)>],
    reversed: bool,
    listeners: &[Option<usize>],
    hops: &[u8],
) -> World {
    let mut world = World::new();
    let mut named: Vec<_> = GROUPS.into_iter().zip(groups).collect();
    if reversed {
        named.reverse();
    }
    for (name, group) in named {
        let Some((l2dsr, targets)) = group else {
            continue;
        };
        world.group(name, if *l2dsr { Mode::L2dsr } else { Mode::Ipip });
        let mut seen = BTreeSet::new();
        for target in targets.iter().filter(|target| seen.insert(target.number)) {
            let health = match target.health {
                0 => None,
                1 => Some(Initial),
                2 | 3 => Some(Unhealthy),
                _ => Some(Healthy),
            };
            let key = world.target(address(target.number), target.weight, health);
            if target.drained {
                world.drained.insert(key);
            }
        }
    }
    for (vip, group) in VIPS.iter().zip(listeners) {
        if let Some(group) = group
            && groups[*group].is_some()
        {
            world.listener(vip, GROUPS[*group]);
        }
    }
    for (number, kind) in (0_u16..).zip(hops) {
        let state = match kind {
            0 => {
                Arc::make_mut(&mut world.next_hops).remove(&address(number));
                continue;
            }
            1 => NextHopState::Unresolved("no neighbour".to_owned()),
            kind => NextHopState::Resolved(hop(u32::from(kind % 3) + 1, kind % 5 != 0)),
        };
        Arc::make_mut(&mut world.next_hops).insert(address(number), state);
    }
    world
}

/// Where each of some flows goes, for a listener: `None` is a drop.
type Routes = Vec<Option<(u16, IpAddr)>>;

fn routes(tables: &Tables, group: u16) -> Routes {
    let Some(table) = tables.groups.get(&group) else {
        return vec![None; 64];
    };
    (0..64_u64)
        .map(|flow| {
            let hash = flow.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let ring = table.ring;
            let place = ring.slot_of(hash).checked_sub(ring.base() as usize)?;
            let target = tables.targets.get(&table.slots.get(place)?.current)?;
            let family = target.family.try_into().ok()?;
            Some((target.port.get(), target.address.to_ip(family)))
        })
        .collect()
}

/// Every flow goes where it went before or where it goes after, at any point in between.
fn check_routes(before: &Tables, now: &Tables, after: &Tables, at: usize) {
    for (key, listener) in &now.listeners {
        let of = |tables: &Tables, key: &ListenerKey| {
            tables.listeners.get(key).map(|listener| routes(tables, listener.group))
        };
        let known = [
            of(before, key),
            of(after, key),
            // Its former group, which has changed as well; not if a listener leaves it for a group
            // that none has used.
            before
                .listeners
                .get(key)
                .filter(|listener| {
                    let stays = after.listeners.get(key).is_none_or(|after| {
                        before.listeners.values().any(|other| other.group == after.group)
                    });
                    let has_ring = |group: &GroupTable| !group.ring.is_none();
                    stays && after.groups.get(&listener.group).is_some_and(has_ring)
                })
                .map(|listener| routes(after, listener.group)),
            // A group that loses its ring, and does so after listeners have changed.
            after
                .groups
                .get(&listener.group)
                .filter(|group| group.ring.is_none())
                .map(|_| routes(before, listener.group)),
        ];
        for (flow, route) in routes(now, listener.group).iter().enumerate() {
            assert!(
                known.iter().flatten().any(|routes| routes[flow] == *route),
                "operation {at}: flow {flow} of {key:?} goes to {route:?}, neither before nor after"
            );
        }
    }
}

/// Applies a plan's operations, looking at the maps after each.
fn carry_out(maps: &FakeMaps, wanted: &Tables) -> Vec<MapOp> {
    let mut store = maps.open();
    let before = store.read(None).unwrap();
    let operations = diff(&before, wanted);
    for (at, operation) in operations.iter().enumerate() {
        store.apply(operation).unwrap();
        let now = maps.tables();
        assert_eq!(faults(&now), Vec::<String>::new(), "after operation {at}");
        check_routes(&before, &now, wanted, at);
    }
    assert_eq!(maps.hazards(), Vec::<String>::new());
    assert_eq!(maps.tables(), *wanted);
    assert_eq!(diff(&maps.tables(), wanted), []);
    operations
}

/// Ids of all that has one.
fn ids(plan: &Plan) -> BTreeMap<String, u16> {
    let targets = plan.targets.iter().map(|report| (report.key.to_string(), report.id));
    let groups = plan.tables.groups.iter().map(|(id, group)| (group.name.to_string(), *id));
    let listeners = plan.tables.listeners.iter();
    let listeners = listeners.map(|(key, listener)| (format!("{key:?}"), listener.id));
    targets.chain(groups).chain(listeners).collect()
}

fn check_ids(before: &Plan, after: &Plan) {
    let later = ids(after);
    for (name, id) in ids(before) {
        assert!(later.get(&name).is_none_or(|later| *later == id), "{name} had id {id}");
    }
}

/// Tables without where rings lie: after a failure in the middle, a ring that had not moved yet may
/// find its place elsewhere. Nor have they the rings of listeners in transition: a listener that
/// had not left its previous group yet takes the present ring of that group.
fn unplaced(tables: &Tables) -> Tables {
    let mut tables = tables.clone();
    tables.groups.retain(|_, group| !is_transition(&group.name));
    for listener in tables.listeners.values_mut() {
        listener.group = 0;
    }
    for group in tables.groups.values_mut() {
        group.ring = match group.ring {
            RingRef::NONE => RingRef::NONE,
            ring => RingRef::new(0, ring.bits()),
        };
    }
    tables
}

/// A new agent: it knows nothing but the maps.
fn restart(maps: &FakeMaps, world: &World) -> Plan {
    maps.open().apply(&MapOp::Quiesce).unwrap();
    world.plan(&maps.open().read(None).unwrap(), &Cache::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_step_of_every_change_is_safe(worlds in prop::collection::vec(world(), 1..6)) {
        let maps = FakeMaps::default();
        let mut last: Option<Plan> = None;
        for (number, world) in worlds.iter().enumerate() {
            // A running agent compares with its last plan, a new one with the maps.
            let read = maps.tables();
            let previous = match &last {
                Some(last) if number % 2 == 0 => &last.tables,
                _ => &read,
            };
            let cache = last.as_ref().map(|last| last.cache.clone()).unwrap_or_default();
            let plan = world.plan(previous, &cache).unwrap();
            let other = world.plan(&read, &Cache::default()).unwrap();
            prop_assert_eq!(&plan.tables, &other.tables, "two agents disagree");
            prop_assert_eq!(&plan.targets, &other.targets);
            prop_assert_eq!(&plan.warnings, &other.warnings);
            carry_out(&maps, &plan.tables);
            if let Some(last) = &last {
                check_ids(last, &plan);
            }
            let again = restart(&maps, world);
            prop_assert_eq!(&again.tables, &plan.tables, "a restart changes something");
            last = Some(plan);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..ProptestConfig::default()
    })]

    #[test]
    fn failing_anywhere_and_trying_again_converges(before in world(), after in world()) {
        let start = FakeMaps::default();
        let first = before.first_plan().unwrap();
        carry_out(&start, &first.tables);
        let plan = after.plan(&first.tables, &first.cache).unwrap();
        let operations = diff(&first.tables, &plan.tables);
        for nth in 0..operations.len() {
            for moment in [Moment::Before, Moment::Midway, Moment::After] {
                let maps = start.copy();
                maps.fail_at(nth, moment);
                let mut store = maps.open();
                let failed = operations.iter().position(|operation| store.apply(operation).is_err());
                prop_assert_eq!(failed, Some(nth));
                drop(store);
                prop_assert_eq!(faults(&maps.tables()), Vec::<String>::new());

                let retry = restart(&maps, &after);
                prop_assert_eq!(unplaced(&retry.tables), unplaced(&plan.tables), "{} {:?}", nth, moment);
                for listener in &after.config.listeners {
                    let key = lb_config::listener_key(listener).unwrap();
                    let mut groups = plan.tables.groups.values();
                    let group = groups.find(|group| *group.name == *listener.target_group).unwrap();
                    // It waits with the slots of its previous group.
                    if group.slots.first().is_none_or(|slot| slot.current == 0) {
                        continue;
                    }
                    let again = retry.tables.listeners[&key];
                    // The interrupted change has given its previous group targets, so that it waits now.
                    if retry.waiting.contains(&again.id) {
                        continue;
                    }
                    let expected = routes(&plan.tables, plan.tables.listeners[&key].group);
                    let found = routes(&retry.tables, again.group);
                    prop_assert_eq!(found, expected, "{} {:?}", nth, moment);
                }
                carry_out(&maps, &retry.tables);
            }
        }
    }
}
