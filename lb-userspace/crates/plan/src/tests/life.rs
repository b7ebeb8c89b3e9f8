//! The life of targets, plan after plan: what is kept in their entries, and what follows from it.

use lb_common::{
    Target as Entry,
    target::TargetState::{Draining, Healthy, Initial, Unhealthy, Unused},
};

use super::*;

/// Successive plans, of one agent, or of an agent that restarts each time.
struct Story {
    world: World,
    plan: Plan,
}

impl Story {
    /// A group of targets in this health, behind a listener.
    fn new(health: &[Option<TargetState>]) -> Self {
        let mut world = World::new();
        world.group("web", Mode::Ipip).listener("203.0.113.1", "web");
        for (number, state) in (1..).zip(health) {
            world.target(v4(number), 100, *state);
        }
        let plan = world.first_plan().unwrap();
        Self { world, plan }
    }

    fn life(&mut self, change: impl FnOnce(&mut Life)) {
        change(&mut self.world.first_group().life);
    }

    /// So many seconds later.
    fn after(&mut self, seconds: u32) -> &Plan {
        self.world.now += seconds;
        let anew = self.world.plan(&self.plan.tables, &Cache::default()).unwrap();
        self.plan = self.world.plan(&self.plan.tables, &self.plan.cache).unwrap();
        assert_alike(&self.plan, &anew);
        &self.plan
    }

    fn remove(&mut self, number: u16) -> Target {
        let targets = &mut self.world.first_group().targets;
        let index = targets.iter().position(|target| target.address == v4(number)).unwrap();
        targets.remove(index)
    }

    fn report(&self, number: u16) -> Option<&TargetReport> {
        self.plan.targets.iter().find(|report| report.key.address == v4(number))
    }

    fn set(&mut self, number: u16, state: TargetState) {
        let key = TargetKey { group: "web".into(), address: v4(number), port: 80 };
        self.world.health.insert(key, verdict(state));
    }

    /// State, whether flows may go there, whether new ones do.
    fn shown(&self, number: u16) -> Option<(TargetState, bool, bool)> {
        let report = self.report(number)?;
        let entry = self.plan.tables.targets[&report.id];
        assert_eq!(entry.is_accepting(), report.in_ring, "{report:?}");
        Some((report.state, entry.is_routable(), entry.is_accepting()))
    }
}

const HEALTHY: Option<TargetState> = Some(Healthy);

#[test]
fn a_drained_target_keeps_its_flows_until_its_delay_is_over() {
    let mut story = Story::new(&[HEALTHY; 3]);
    let key = story.report(1).unwrap().key.clone();
    story.world.drained.insert(key.clone());
    assert_eq!(story.after(10).next_change, Some(1310));
    assert_eq!(story.shown(1), Some((Draining, true, false)));
    // Changing the delay does not change a drain in progress.
    story.life(|life| life.deregistration_delay = Duration::from_secs(5));
    story.after(299);
    assert_eq!(story.shown(1), Some((Draining, true, false)));
    assert_eq!(story.report(1).unwrap().until, Some(1310));
    assert_eq!(story.after(1).next_change, None);
    assert_eq!(story.shown(1), Some((Unused, false, false)));
    assert!(story.report(1).unwrap().detail.contains("undrain"));
    let entry = story.plan.tables.targets[&1];
    assert_eq!(entry.state, Draining as u8, "a new agent must know that it is drained");
    story.world.drained.clear();
    story.after(1);
    assert_eq!(story.shown(1), Some((Healthy, true, true)));
    // The next drain has its own delay.
    story.world.drained.insert(key);
    assert_eq!(story.after(1).next_change, Some(1317));
    // One that is unhealthy keeps nothing.
    story.set(1, Unhealthy);
    story.after(1);
    assert_eq!(story.shown(1), Some((Draining, false, false)));
}

#[test]
fn a_removed_target_finishes_its_flows_and_is_gone() {
    let mut story = Story::new(&[HEALTHY; 3]);
    let id = story.report(2).unwrap().id;
    let removed = story.remove(2);
    assert_eq!(story.after(0).next_change, Some(1300));
    let report = story.report(2).unwrap();
    assert!(report.leaving && report.id == id && report.weight == 0, "{report:?}");
    assert_eq!(story.shown(2), Some((Draining, true, false)));
    // It comes back, with its id, and takes flows at once.
    story.world.first_group().targets.push(removed);
    story.after(100);
    assert_eq!(story.shown(2), Some((Healthy, true, true)));
    assert_eq!(story.report(2).map(|report| (report.id, report.leaving)), Some((id, false)));
    story.remove(2);
    story.after(1);
    assert_eq!(story.shown(2), Some((Draining, true, false)));
    story.after(300);
    assert_eq!(story.shown(2), None);
    assert!(!story.plan.tables.targets.contains_key(&id));
    assert!(story.plan.tables.resting.contains_key(&id), "flows may still name it");
    // Its id is not reused for a while.
    story.world.target(v4(9), 100, HEALTHY);
    story.after(1);
    assert_ne!(story.report(9).unwrap().id, id);
    story.after(6800);
    assert!(story.plan.tables.resting.is_empty());
    story.world.target(v4(10), 100, HEALTHY);
    story.after(1);
    assert_eq!(story.report(10).unwrap().id, id);
}

#[test]
fn a_removed_target_goes_at_once_when_nothing_keeps_it() {
    // It was never in service.
    let mut story = Story::new(&[HEALTHY, Some(Initial), Some(Unhealthy)]);
    story.remove(2);
    story.remove(3);
    story.after(1);
    assert_eq!((story.shown(2), story.shown(3)), (None, None));
    // It dies while it leaves.
    let mut story = Story::new(&[HEALTHY; 2]);
    story.remove(2);
    story.after(1);
    story.set(2, Unhealthy);
    story.after(1);
    assert_eq!(story.shown(2), None);
    // It is cut.
    let mut story = Story::new(&[HEALTHY; 2]);
    let removed = story.remove(2);
    story.after(1);
    let key = TargetKey { group: "web".into(), address: removed.address, port: 80 };
    story.world.cut.insert(key);
    story.after(1);
    assert_eq!(story.shown(2), None);
    // No delay.
    let mut story = Story::new(&[HEALTHY; 2]);
    story.life(|life| life.deregistration_delay = Duration::ZERO);
    story.remove(2);
    story.after(1);
    assert_eq!(story.shown(2), None);
    // It finishes its flows even if no listener uses its group any more.
    let mut story = Story::new(&[HEALTHY; 2]);
    story.remove(2);
    story.world.config.listeners.clear();
    story.after(1);
    assert_eq!(story.shown(2), Some((Draining, true, false)));
}

#[test]
fn the_last_target_of_a_group_finishes_its_flows_too() {
    let mut story = Story::new(&[HEALTHY]);
    story.remove(1);
    story.after(1);
    assert_eq!(story.shown(1), Some((Draining, true, false)));
    let group = story.plan.tables.groups.values().next().unwrap();
    assert!(group.slots.iter().all(|slot| (slot.current, slot.home) == (0, 1)), "no new flows");
    story.after(300);
    assert!(story.plan.tables.groups.values().all(|group| group.ring.is_none()));
}

#[test]
fn an_unhealthy_target_can_keep_its_flows_for_a_while() {
    let mut story = Story::new(&[HEALTHY; 2]);
    story.life(|life| life.unhealthy_draining_interval = Duration::from_mins(1));
    story.set(2, Unhealthy);
    assert_eq!(story.after(5).next_change, Some(1065));
    assert_eq!(story.shown(2), Some((Unhealthy, true, false)));
    story.after(59);
    assert_eq!(story.shown(2), Some((Unhealthy, true, false)));
    story.after(1);
    assert_eq!(story.shown(2), Some((Unhealthy, false, false)));
    // It keeps none when it had none.
    let mut story = Story::new(&[HEALTHY, Some(Initial)]);
    story.life(|life| life.unhealthy_draining_interval = Duration::from_mins(1));
    story.set(2, Unhealthy);
    story.after(5);
    assert_eq!(story.shown(2), Some((Unhealthy, false, false)));
}

#[test]
fn with_too_few_healthy_targets_all_are_used() {
    let mut story = Story::new(&[HEALTHY, Some(Unhealthy), Some(Unhealthy), Some(Initial)]);
    assert_eq!(story.shown(2), Some((Unhealthy, false, false)));
    story.life(|life| life.minimum_healthy.count = 2);
    story.after(1);
    assert_eq!(story.shown(2), Some((Unhealthy, true, true)));
    assert_eq!(story.shown(4), Some((Initial, false, false)));
    assert_eq!(
        story.plan.warnings,
        [
            "target group web: 1 of 4 targets are healthy, fewer than minimum_healthy_targets (2); failing \
          open to 2 unhealthy ones"
        ]
    );
    story.life(|life| {
        life.minimum_healthy.count = 1;
        life.minimum_healthy.percentage = Some(50);
    });
    story.after(1);
    assert_eq!(story.shown(3), Some((Unhealthy, true, true)));
    story.set(4, Healthy);
    story.after(1);
    assert_eq!(story.shown(3), Some((Unhealthy, false, false)));
    assert!(story.plan.warnings.is_empty(), "{:?}", story.plan.warnings);
}

#[test]
fn the_share_of_a_target_rises_over_its_slow_start() {
    let mut story = Story::new(&[HEALTHY, HEALTHY, Some(Initial)]);
    story.life(|life| life.slow_start = Duration::from_secs(100));
    story.after(200);
    assert_eq!(story.plan.next_change, None, "those in service have risen");
    story.set(3, Healthy);
    let mut last = 0.0;
    for step in 1..=20 {
        // A weight of 100 and two of 100: 1/3 in the end.
        let next = story.after(if step == 1 { 0 } else { 5 }).next_change;
        assert_eq!(next, Some(story.world.now + 5));
        let share = story.report(3).unwrap().share;
        let weight = f64::from(step) * 0.05;
        let expected = weight / (weight + 2.0);
        assert!((share - expected).abs() < 0.01, "step {step}: {share}, not {expected}");
        assert!(share > last, "step {step}");
        last = share;
    }
    assert_eq!(story.after(5).next_change, None);
    assert!((story.report(3).unwrap().share - 1.0 / 3.0).abs() < 0.01);
    // Another plan does not begin it again, leaving the ring does.
    let since = |story: &Story| story.plan.tables.targets[&3].since;
    let before = since(&story);
    story.after(50);
    assert_eq!(since(&story), before);
    story.set(3, Unhealthy);
    story.after(1);
    assert_eq!(since(&story), 0);
    story.set(3, Healthy);
    assert!(story.after(1).next_change.is_some());
}

#[test]
fn targets_that_start_together_share_evenly() {
    let mut story = Story::new(&[Some(Initial); 4]);
    story.life(|life| life.slow_start = Duration::from_secs(100));
    for number in 1..=4 {
        story.set(number, Healthy);
    }
    story.after(1);
    for number in 1..=4 {
        let share = story.report(number).unwrap().share;
        assert!((share - 0.25).abs() < 0.01, "{number}: {share}");
    }
}

#[test]
fn weight_zero_keeps_flows_and_takes_none() {
    let mut story = Story::new(&[HEALTHY; 2]);
    story.world.first_group().targets[0].weight = 0;
    story.after(1);
    assert_eq!(story.shown(1), Some((Healthy, true, false)));
    let slots = story.plan.tables.groups.values().next().unwrap();
    let armed = slots.slots.iter().filter(|slot| slot.is_armed()).count();
    let had = slots.slots.iter().filter(|slot| slot.home == 1).count();
    assert!(armed == had && armed > 1800, "{armed} of {had}");
}

#[test]
fn slots_disarm_when_they_are_idle() {
    let mut story = Story::new(&[HEALTHY; 2]);
    story.world.first_group().targets[0].weight = 0;
    story.after(1);
    let (id, group) = story.plan.tables.groups.iter().next().unwrap();
    let (id, base) = (*id, group.ring.base());
    let armed: Vec<u32> = (base..)
        .zip(group.slots.iter())
        .filter(|(_, slot)| slot.is_armed())
        .map(|(index, _)| index)
        .collect();
    let (idle_slots, loud) = armed.split_at(armed.len() / 2);
    story.world.idle_slots = idle_slots.iter().copied().collect();
    story.after(1);
    story.world.idle_slots.clear();
    let slot = |story: &Story, index: u32| {
        story.plan.tables.groups[&id].slots[usize::try_from(index - base).unwrap()]
    };
    for index in idle_slots {
        assert!(!slot(&story, *index).is_armed());
        assert_ne!(slot(&story, *index).epoch, 0);
    }
    assert!(loud.iter().all(|index| slot(&story, *index).is_armed()));
    story.after(1);
    assert!(loud.iter().all(|index| slot(&story, *index).is_armed()));
}

#[test]
fn modes_and_protocols_that_need_no_slots_arm_none() {
    for (mode, protocol, arms) in [
        (Mode::Ipip, Protocol::Tcp, true),
        (Mode::L2dsr, Protocol::Quic, true),
        (Mode::Ipip, Protocol::Udp, false),
        (Mode::Nat, Protocol::Tcp, false),
    ] {
        let mut story = Story::new(&[HEALTHY; 2]);
        story.world.first_group().forwarding = mode;
        story.world.first_group().protocol = protocol;
        story.world.last_listener().protocol = protocol;
        story.after(1);
        story.world.first_group().targets[0].weight = 0;
        story.after(1);
        let group = story.plan.tables.groups.values().next().unwrap();
        let any = group.slots.iter().any(|slot| slot.is_armed());
        assert_eq!(any, arms, "{mode:?} {protocol}");
        let entry: Entry = story.plan.tables.targets[&1];
        assert!(entry.is_routable() && !entry.is_accepting());
    }
}
