//! Cached plans: successive changes give the same plan as for an agent without a cache, and do not
//! touch other groups.

use lb_common::{
    Mode,
    target::TargetState::{Healthy, Initial, Unhealthy},
};
use proptest::prelude::*;

use super::*;

const GROUPS: usize = 4;
const TARGETS: usize = 3;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Weight(u32),
    Verdict(TargetState),
    Drain,
    Lose,
    Find,
    Remove,
    Add,
    SlowStart,
    Tunnel(u8),
    Cut,
    Quiet,
    Seconds(u32),
    /// The group, as another of the same content.
    Copy,
    /// The maps were read back.
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    let states = [Healthy, Unhealthy, Initial];
    prop_oneof![
        3 => (0..3_u32).prop_map(Step::Weight),
        4 => prop::sample::select(states.to_vec()).prop_map(Step::Verdict),
        2 => Just(Step::Drain),
        1 => Just(Step::Lose),
        1 => Just(Step::Find),
        2 => Just(Step::Remove),
        2 => Just(Step::Add),
        1 => Just(Step::SlowStart),
        1 => (0..2_u8).prop_map(Step::Tunnel),
        1 => Just(Step::Cut),
        1 => Just(Step::Quiet),
        4 => prop::sample::select(vec![0, 1, 40, 400]).prop_map(Step::Seconds),
        1 => Just(Step::Copy),
        1 => Just(Step::Read),
    ]
}

/// Four groups of three targets; no listener uses the last one.
fn world() -> World {
    let mut world = World::new();
    for group in 0..GROUPS {
        let name = format!("group-{group}");
        world.group(&name, if group == 1 { Mode::L2dsr } else { Mode::Ipip });
        for number in 0..TARGETS {
            world.target(address(group, number), 1, Some(Healthy));
        }
        if group + 1 < GROUPS {
            world.listener(&format!("203.0.113.{group}"), &name);
        }
    }
    world
}

fn address(group: usize, number: usize) -> IpAddr {
    v4(u16::try_from(group * 16 + number).unwrap())
}

/// Does it to a group and one of its targets.
fn take(world: &mut World, step: &Step, group: usize, number: usize, plan: &Plan) {
    let address = address(group, number);
    let settings = Arc::make_mut(&mut world.config.target_groups[group]);
    let key = TargetKey { group: settings.name.clone(), address, port: 80 };
    let known = settings.targets.iter().position(|target| target.address == address);
    match *step {
        Step::Weight(weight) => {
            if let Some(index) = known {
                settings.targets[index].weight = weight;
            }
        }
        Step::Verdict(state) => world.health.insert(key, verdict(state)),
        Step::Drain => {
            if !world.drained.remove(&key) {
                world.drained.insert(key);
            }
        }
        Step::Lose => {
            let lost = NextHopState::Unresolved("no route".to_owned());
            Arc::make_mut(&mut world.next_hops).insert(address, lost);
        }
        Step::Find => {
            let found = NextHopState::Resolved(hop(2, true));
            Arc::make_mut(&mut world.next_hops).insert(address, found);
        }
        Step::Remove => {
            known.map(|index| settings.targets.remove(index));
        }
        Step::Add => {
            if known.is_none() {
                settings.targets.push(Target { address, port: 80, weight: 1, backup: false });
            }
        }
        Step::SlowStart => settings.life.slow_start = Duration::from_secs(30),
        Step::Tunnel(number) => {
            let source = format!("172.{}.0.0/16", 16 + number);
            world.config.tunnel.source_ipv4 = source.parse().unwrap();
        }
        Step::Cut => {
            world.cut.insert(key);
        }
        Step::Quiet => {
            let armed = plan.tables.groups.values().flat_map(|group| {
                let slots = (group.ring.base()..).zip(group.slots.iter());
                slots.filter(|(_, slot)| slot.is_armed()).map(|(index, _)| index)
            });
            world.idle_slots = armed.step_by(2).collect();
        }
        Step::Seconds(seconds) => world.now += seconds,
        Step::Copy | Step::Read => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn cached_plans_equal_new_ones(
        steps in prop::collection::vec((step(), 0..GROUPS, 0..TARGETS + 1), 1..40),
    ) {
        let mut world = world();
        let mut plan = world.first_plan().unwrap();
        for (step, group, number) in steps {
            take(&mut world, &step, group, number, &plan);
            let previous = match step {
                Step::Read => Arc::new((*plan.tables).clone()),
                _ => Arc::clone(&plan.tables),
            };
            let next = world.plan(&previous, &plan.cache).unwrap();
            assert_alike(&next, &world.plan(&previous, &Cache::default()).unwrap());
            prop_assert_eq!(&MapModel::from(&*next.tables).tables(), &*next.tables);
            plan = next;
            world.idle_slots.clear();
            world.cut.clear();
        }
    }
}

/// The parts of two plans that are not the same.
fn apart(one: &Plan, other: &Plan) -> Vec<String> {
    let [before, _] = one.targets.apart(&other.targets);
    let mut names: Vec<_> = before.iter().map(|report| report.key.group.to_string()).collect();
    names.dedup();
    names
}

#[test]
fn one_change_plans_one_group() {
    let mut world = world();
    let next = |world: &World, plan: &Plan| world.plan(&plan.tables, &plan.cache).unwrap();
    // The first is new, the second finds that nothing changes it.
    let mut plan = world.first_plan().unwrap();
    plan = next(&world, &plan);
    let same = next(&world, &plan);
    assert_eq!(apart(&plan, &same), Vec::<String>::new());
    take(&mut world, &Step::Verdict(Unhealthy), 2, 1, &plan);
    let after = next(&world, &same);
    assert_eq!(apart(&same, &after), ["group-2"]);
    take(&mut world, &Step::Weight(7), 0, 1, &plan);
    let later = next(&world, &after);
    assert_eq!(apart(&after, &later), ["group-0", "group-2"], "group-2 finds that it stays");
    let last = next(&world, &later);
    assert_eq!(apart(&next(&world, &last), &last), Vec::<String>::new());
}
