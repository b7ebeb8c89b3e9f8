//! Instance refreshes and warm pools, with an honest driver.

use lb_members::{Command, EventKind, MemberSettings, Phase, RefreshOptions, WarmPool, WarmState};

use super::{
    agent::{Agent, settings},
    rules::{change_template, command, group, names, of_template},
};

#[test]
fn a_refresh_exchanges_all_members_and_keeps_enough_healthy() {
    for min_healthy_percent in [100, 75] {
        let mut agent = group(settings(), 4);
        change_template(&mut agent, "b");
        let options = RefreshOptions { min_healthy_percent, ..RefreshOptions::default() };
        command(&mut agent, Command::Refresh(options));
        let (mut fewest, mut most) = (4, 4);
        for _ in 0..200 {
            agent.advance(5);
            fewest = fewest.min(agent.in_phase(Phase::InService));
            most = most.max(agent.in_phase(Phase::InService));
        }
        let expected = if min_healthy_percent == 100 { (4, 5) } else { (3, 4) };
        assert_eq!((fewest, most), expected, "{min_healthy_percent} %");
        assert_eq!((of_template(&agent, "a"), of_template(&agent, "b")), (0, 4));
        agent.assert_converged("refreshed");
        assert_eq!(agent.saw(|kind| *kind == EventKind::RefreshEnded(true)), 1);
    }
}

#[test]
fn a_refresh_pauses_at_its_checkpoint() {
    let mut agent = group(settings(), 4);
    change_template(&mut agent, "b");
    let options = RefreshOptions {
        min_healthy_percent: 75,
        checkpoints: vec![50],
        ..RefreshOptions::default()
    };
    command(&mut agent, Command::Refresh(options));
    (0..200).for_each(|_| agent.advance(5));
    assert_eq!((of_template(&agent, "a"), of_template(&agent, "b")), (2, 2));
    agent.crash();
    command(&mut agent, Command::ContinueRefresh);
    (0..200).for_each(|_| agent.advance(5));
    assert_eq!((of_template(&agent, "a"), of_template(&agent, "b")), (0, 4));
}

#[test]
fn a_refresh_to_a_template_that_fails_goes_back() {
    let mut agent = group(settings(), 4);
    change_template(&mut agent, "b");
    agent.driver.bad_template = Some("b".to_owned());
    let options = RefreshOptions { min_healthy_percent: 75, ..RefreshOptions::default() };
    command(&mut agent, Command::Refresh(options));
    (0..400).for_each(|_| agent.advance(5));
    assert_eq!(agent.saw(|kind| *kind == EventKind::RefreshRollsBack), 1);
    assert_eq!(of_template(&agent, "a"), 4);
    assert_eq!(agent.group.launch_template(), "a", "until the settings change");
    agent.assert_converged("rolled back");
}

#[test]
fn members_of_a_warm_pool_are_started_before_others_are_launched() {
    let pool = Some(WarmPool { size: 2, state: WarmState::Stopped });
    let mut agent = Agent::new(MemberSettings { warm_pool: pool, ..settings() }, 1);
    agent.desired = 1;
    agent.settle(120);
    assert_eq!((agent.in_phase(Phase::InService), agent.in_phase(Phase::Warm)), (1, 2));
    let all = names(&agent);
    agent.desired = 3;
    (0..4).for_each(|_| agent.advance(3));
    assert_eq!(agent.in_phase(Phase::InService), 3, "sooner than a launch takes");
    assert!(all.iter().all(|name| agent.group.ledger().members[name].phase == Phase::InService));
    agent.settle(120);
    assert_eq!(agent.in_phase(Phase::Warm), 2, "refilled");
}

#[test]
fn without_stop_a_warm_pool_runs() {
    let pool = Some(WarmPool { size: 1, state: WarmState::Stopped });
    let mut agent = Agent::new(MemberSettings { warm_pool: pool, ..settings() }, 1);
    agent.driver.has_stop = false;
    agent.desired = 1;
    agent.settle(600);
    assert_eq!((agent.in_phase(Phase::InService), agent.in_phase(Phase::Warm)), (1, 1));
    agent.desired = 2;
    agent.settle(120);
    assert_eq!((agent.in_phase(Phase::InService), agent.in_phase(Phase::Warm)), (2, 1));
    assert_eq!(agent.driver.created.len(), 3);
}

#[test]
fn a_refresh_of_several_at_once_keeps_enough_healthy_and_leaves_protected_ones() {
    let mut agent = group(settings(), 8);
    let protected = names(&agent).remove(0);
    command(&mut agent, Command::Protect { name: protected.clone(), protected: true });
    change_template(&mut agent, "b");
    let options = RefreshOptions {
        min_healthy_percent: 75,
        max_at_once_percent: 50,
        ..RefreshOptions::default()
    };
    command(&mut agent, Command::Refresh(options));
    let mut fewest = 8;
    for _ in 0..200 {
        agent.advance(5);
        fewest = fewest.min(agent.in_phase(Phase::InService));
    }
    assert_eq!(fewest, 6);
    assert_eq!((of_template(&agent, "a"), of_template(&agent, "b")), (1, 7));
    assert!(names(&agent).contains(&protected));
    assert_eq!(agent.saw(|kind| *kind == EventKind::RefreshEnded(true)), 1);
}

#[test]
fn warm_members_of_an_old_template_are_not_taken() {
    let pool = Some(WarmPool { size: 1, state: WarmState::Running });
    let mut agent = Agent::new(MemberSettings { warm_pool: pool, ..settings() }, 1);
    agent.desired = 1;
    agent.settle(120);
    assert_eq!(agent.in_phase(Phase::Warm), 1);
    change_template(&mut agent, "b");
    agent.desired = 2;
    agent.settle(300);
    assert_eq!((of_template(&agent, "a"), of_template(&agent, "b")), (1, 2));
    assert_eq!((agent.in_phase(Phase::InService), agent.in_phase(Phase::Warm)), (2, 1));
}
