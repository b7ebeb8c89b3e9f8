//! Rules one by one, with an honest driver.

use std::time::Duration;

use lb_members::{
    Cause, Command, EventKind, Hook, HookResult, Input, MemberSettings, Phase, TerminationPolicy,
};

use super::agent::{Agent, settings};

/// A group at rest with so many members of template `a`.
pub(crate) fn group(settings: MemberSettings, desired: u32) -> Agent {
    let mut agent = Agent::new(settings, 1);
    agent.desired = desired;
    agent.settle(120);
    agent.assert_converged("at the start");
    agent.events.clear();
    agent
}

pub(crate) fn command(agent: &mut Agent, command: Command) {
    agent.input(Input::Command(command));
}

pub(crate) fn names(agent: &Agent) -> Vec<String> {
    agent.group.ledger().members.keys().cloned().collect()
}

pub(crate) fn change_template(agent: &mut Agent, template: &str) {
    let settings = MemberSettings { template: template.to_owned(), ..(*agent.settings).clone() };
    agent.set_settings(settings);
}

pub(crate) fn of_template(agent: &Agent, template: &str) -> usize {
    agent.driver.instances.values().filter(|instance| instance.template == template).count()
}

#[test]
fn an_undone_drain_launches_nothing() {
    let mut agent = group(settings(), 4);
    agent.desired = 2;
    agent.advance(1);
    assert_eq!(agent.in_phase(Phase::Draining), 2);
    agent.desired = 4;
    agent.advance(1);
    agent.assert_converged("undone");
    assert_eq!(agent.driver.created.len(), 4);
    assert_eq!(agent.saw(|kind| *kind == EventKind::DrainUndone), 2);
}

#[test]
fn failing_open_freezes_scale_in() {
    let mut agent = group(settings(), 4);
    (agent.desired, agent.scale_in) = (1, false);
    agent.advance(60);
    assert_eq!(agent.in_phase(Phase::InService), 4);
    agent.scale_in = true;
    agent.settle(300);
    agent.assert_converged("scale-in again");
}

#[test]
fn a_drain_is_cut_at_its_deadline_and_says_so() {
    let quick = MemberSettings { drain_timeout: Duration::from_secs(5), ..settings() };
    let mut agent = group(quick, 2);
    agent.desired = 1;
    agent.advance(1);
    agent.advance(3);
    agent.advance(2);
    assert_eq!(agent.saw(|kind| *kind == EventKind::DrainCut(Some(7))), 1, "{:?}", agent.events);
}

#[test]
fn unhealthy_members_are_replaced_one_at_a_time() {
    let mut agent = group(settings(), 4);
    for instance in agent.driver.instances.values_mut().take(2) {
        instance.sick = true;
    }
    agent.advance(1);
    agent.advance(1);
    let ended = |agent: &Agent| agent.saw(|kind| *kind == EventKind::Ends(Cause::Unhealthy));
    assert_eq!(ended(&agent), 1, "10 % of 4 are one");
    (0..60).for_each(|_| agent.advance(5));
    assert_eq!(ended(&agent), 2);
    agent.settle(120);
    agent.assert_converged("replaced");
}

#[test]
fn nothing_is_replaced_if_all_are_unhealthy() {
    let mut agent = group(settings(), 3);
    let before = names(&agent);
    agent.driver.instances.values_mut().for_each(|instance| instance.sick = true);
    (0..60).for_each(|_| agent.advance(10));
    assert_eq!(names(&agent), before);
    assert!(agent.saw(|kind| *kind == EventKind::AllUnhealthy) > 0);
}

#[test]
fn a_member_that_dies_is_replaced_after_two_readings() {
    let mut agent = group(settings(), 2);
    let name = names(&agent).remove(0);
    agent.driver.instances.remove(&name);
    agent.settle(300);
    agent.assert_converged("replaced");
    assert!(!names(&agent).contains(&name));
}

#[test]
fn a_list_without_a_healthy_member_is_not_believed() {
    let mut agent = group(settings(), 2);
    let before = names(&agent);
    let instances = std::mem::take(&mut agent.driver.instances);
    // Health checks go on to pass, at the same addresses under other names.
    for (number, instance) in instances.values().cloned().enumerate() {
        agent.driver.instances.insert(format!("hidden-{number}"), instance);
    }
    (0..60).for_each(|_| agent.advance(10));
    assert_eq!(names(&agent), before);
    assert!(agent.saw(|kind| *kind == EventKind::ListDoubted) > 0);
}

#[test]
fn a_quota_pauses_launches_and_keeps_what_runs() {
    let mut agent = group(settings(), 2);
    agent.driver.quota = 2;
    agent.desired = 5;
    (0..360).for_each(|_| agent.advance(10));
    assert_eq!(agent.in_phase(Phase::InService), 2);
    assert_eq!(agent.in_phase(Phase::Launching), 3);
    let failed = agent.saw(|kind| matches!(kind, EventKind::CallFailed(_)));
    assert!(failed < 12, "{failed} tries in an hour");
    agent.settle(2 * 3600);
    agent.assert_converged("quota raised");
    assert_eq!(agent.driver.created.len(), 5);
}

#[test]
fn hooks_run_before_traffic_and_before_the_end() {
    let hook = Some(Hook { timeout: Duration::from_mins(1), default: HookResult::Abandon });
    let hooked = MemberSettings { launch_hook: hook, terminate_hook: hook, ..settings() };
    let mut agent = Agent::new(hooked, 1);
    agent.desired = 2;
    while agent.in_phase(Phase::LaunchHook) < 2 && agent.now < 60 {
        agent.advance(1);
    }
    assert_eq!((agent.in_phase(Phase::LaunchHook), agent.targets.len()), (2, 0));
    agent.settle(60);
    agent.assert_converged("launched");
    agent.desired = 1;
    agent.advance(1);
    agent.advance(10);
    assert_eq!((agent.in_phase(Phase::TerminateHook), agent.targets.len()), (1, 1));
    agent.settle(120);
    agent.assert_converged("ended");
    // A launch hook that abandons ends the member, and after three the group pauses.
    agent.hook_result = HookResult::Abandon;
    agent.desired = 2;
    (0..200).for_each(|_| agent.advance(5));
    let failed = agent.saw(|kind| matches!(kind, EventKind::LaunchAbandoned(_)));
    assert!((3..10).contains(&failed), "{failed}");
    assert!(agent.saw(|kind| matches!(kind, EventKind::LaunchingPauses(_))) > 0);
}

#[test]
fn protected_members_stay_and_standby_is_no_capacity() {
    let mut agent = group(settings(), 3);
    let all = names(&agent);
    for name in &all[..2] {
        command(&mut agent, Command::Protect { name: name.clone(), protected: true });
    }
    agent.desired = 1;
    agent.settle(120);
    assert_eq!(names(&agent), all[..2]);
    agent.desired = 2;
    agent.advance(1);
    for name in &all[..2] {
        command(&mut agent, Command::Protect { name: name.clone(), protected: false });
    }
    command(&mut agent, Command::Standby { name: all[0].clone(), standby: true });
    agent.settle(120);
    assert_eq!((agent.in_phase(Phase::Standby), agent.in_phase(Phase::InService)), (1, 2));
    command(&mut agent, Command::Standby { name: all[0].clone(), standby: false });
    agent.settle(300);
    agent.assert_converged("back in service, and one too many has gone");
}

#[test]
fn termination_policies_choose_the_victim() {
    // (policies, which of the members by age is left)
    let cases: [(&[TerminationPolicy], usize); 3] = [
        (&[TerminationPolicy::Newest], 0),
        (&[TerminationPolicy::Oldest], 2),
        (&[TerminationPolicy::LeastFlows, TerminationPolicy::Newest], 1),
    ];
    for (policies, left) in cases {
        let mut agent = group(MemberSettings { termination: policies.to_vec(), ..settings() }, 1);
        for desired in [2, 3] {
            agent.desired = desired;
            agent.settle(60);
        }
        let all = names(&agent);
        for (name, flows) in all.iter().zip([5, 9, 7]) {
            agent.input(Input::Flows { name: name.clone(), flows });
        }
        agent.desired = 1;
        agent.settle(120);
        assert_eq!(names(&agent), [all[left].clone()], "{policies:?}");
    }
}

#[test]
fn the_first_request_wakes_a_group_of_zero() {
    let mut agent = group(settings(), 1);
    agent.desired = 0;
    agent.settle(300);
    agent.assert_converged("asleep");
    command(&mut agent, Command::Wake);
    assert_eq!((agent.desired, agent.in_phase(Phase::Launching)), (1, 1), "at once");
    command(&mut agent, Command::Wake);
    agent.settle(60);
    agent.assert_converged("awake");
}

#[test]
fn a_group_at_rest_writes_nothing() {
    let mut agent = group(settings(), 3);
    let stores = agent.stores;
    agent.settle(3600);
    assert_eq!(agent.stores, stores);
}

#[test]
fn those_that_do_not_serve_leave_first() {
    // A member that launches leaves before one in service.
    let mut agent = group(settings(), 2);
    let before = names(&agent);
    agent.desired = 3;
    agent.advance(1);
    agent.advance(1);
    agent.desired = 2;
    agent.settle(120);
    assert_eq!(names(&agent), before);
    // An unhealthy one leaves before a healthy one, whatever its age.
    for index in 0..2 {
        let mut agent = group(settings(), 2);
        let sick = names(&agent).remove(index);
        agent.driver.instances.get_mut(&sick).unwrap().sick = true;
        agent.desired = 1;
        agent.advance(1);
        (0..30).for_each(|_| agent.advance(5));
        assert!(!names(&agent).contains(&sick), "{index}");
    }
}

#[test]
fn a_protected_member_is_not_replaced() {
    let mut agent = group(settings(), 3);
    let name = names(&agent).remove(0);
    command(&mut agent, Command::Protect { name: name.clone(), protected: true });
    agent.driver.instances.get_mut(&name).unwrap().sick = true;
    (0..60).for_each(|_| agent.advance(5));
    assert!(names(&agent).contains(&name));
    assert_eq!(agent.in_phase(Phase::InService), 3);
}

#[test]
fn another_template_ends_a_pause_and_launches_with_it() {
    let mut agent = Agent::new(settings(), 1);
    agent.driver.bad_template = Some("a".to_owned());
    agent.desired = 2;
    (0..20).for_each(|_| agent.advance(5));
    assert!(agent.group.ledger().breaker.as_ref().is_some_and(lb_members::Breaker::limits));
    change_template(&mut agent, "b");
    (0..12).for_each(|_| agent.advance(5));
    assert_eq!(of_template(&agent, "b"), 2);
    assert_eq!(agent.in_phase(Phase::InService), 2);
}

#[test]
fn standby_gets_no_new_flows_also_after_a_restart() {
    let mut agent = group(settings(), 2);
    let name = names(&agent).remove(0);
    command(&mut agent, Command::Standby { name: name.clone(), standby: true });
    assert!(agent.targets[&name].1);
    agent.crash();
    assert!(agent.targets[&name].1);
}
