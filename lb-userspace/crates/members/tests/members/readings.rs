//! Single answers and readings, one after the other, without a driver.

use std::{net::IpAddr, sync::Arc, time::Duration};

use lb_members::{
    Action, Answer, Call, CallError, CallResult, Command, Demand, ErrorClass, Event, EventKind,
    Group, Hook, HookResult, Input, Ledger, MemberSettings, MemberState, Outputs, Phase, Reported,
    Verb,
};
use lb_scale::Limits;

use super::agent::{at, settings};

/// A group whose calls are answered by hand.
pub(crate) struct Script {
    pub(crate) group: Group,
    now: u64,
    pub(crate) calls: Vec<Call>,
    events: Vec<Event>,
}

fn reported(name: &str, state: MemberState, last: u8) -> Reported {
    let address = (state == MemberState::Running).then_some(IpAddr::from([10, 0, 0, last]));
    let port = address.map(|_| 80);
    Reported { name: name.to_owned(), state, address, port, template: None, error: None }
}

impl Script {
    pub(crate) fn new(desired: u32) -> Self {
        Self::with(settings(), desired)
    }

    pub(crate) fn with(settings: MemberSettings, desired: u32) -> Self {
        let (group, _) = Group::open(Ledger::new(1), Arc::new(settings));
        let mut script = Self { group, now: 0, calls: Vec::new(), events: Vec::new() };
        script.demand(desired);
        script
    }

    pub(crate) fn demand(&mut self, desired: u32) {
        let limits = Limits { min: 0, max: 9 };
        let (launch, scale_in, replace) = (true, true, Vec::new());
        self.input(Input::Demand(Demand { desired, limits, launch, scale_in, replace }));
    }

    /// `ensure` is answered: the member runs.
    pub(crate) fn boot(&mut self, last: u8) -> String {
        let call = self.take(Verb::Ensure);
        let running = reported(&call.name, MemberState::Running, last);
        self.answer(&call, Ok(Answer::Member(running)));
        call.name
    }

    pub(crate) fn input(&mut self, input: Input) {
        let Outputs { actions, events, .. } = self.group.step(input, at(self.now));
        self.events.extend(events);
        self.calls.extend(actions.into_iter().filter_map(|action| match action {
            Action::Call(call) => Some(call),
            _ => None,
        }));
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.input(Input::Tick);
    }

    /// The oldest call of a verb that is not answered.
    pub(crate) fn take(&mut self, verb: Verb) -> Call {
        let index = self.calls.iter().position(|call| call.verb == verb);
        self.calls.remove(index.unwrap_or_else(|| panic!("no {verb}: {:?}", self.calls)))
    }

    pub(crate) fn answer(&mut self, call: &Call, result: CallResult) {
        self.input(Input::Called { call: call.id, result });
    }

    pub(crate) fn list(&mut self, members: Vec<Reported>) {
        let call = self.take(Verb::List);
        self.answer(&call, Ok(Answer::Members(members)));
    }

    /// A member in service.
    pub(crate) fn launch(&mut self, last: u8) -> String {
        let name = self.boot(last);
        self.input(Input::Health { name: name.clone(), healthy: true });
        assert_eq!(self.phase(&name), Some(Phase::InService));
        name
    }

    pub(crate) fn phase(&self, name: &str) -> Option<Phase> {
        self.group.ledger().members.get(name).map(|record| record.phase)
    }

    pub(crate) fn saw(&self, is_meant: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| is_meant(&event.kind))
    }
}

/// A group of one whose member is being ended.
fn ending() -> (Script, String) {
    ending_at(0)
}

/// The same, and the call of `end` is made after so many seconds.
fn ending_at(seconds: u64) -> (Script, String) {
    let mut script = Script::new(1);
    script.list(Vec::new());
    let name = script.launch(1);
    script.pass(seconds);
    script.input(Input::Command(Command::End { name: name.clone() }));
    script.input(Input::Flows { name: name.clone(), flows: 0 });
    assert_eq!(script.phase(&name), Some(Phase::Ending));
    (script, name)
}

#[test]
fn a_member_has_ended_after_two_readings_without_it() {
    let (mut script, name) = ending();
    let end = script.take(Verb::End);
    script.answer(&end, Ok(Answer::Done));
    script.pass(60);
    script.list(Vec::new());
    assert_eq!(script.phase(&name), Some(Phase::Ending), "one reading");
    script.pass(10);
    script.list(Vec::new());
    assert_eq!(script.phase(&name), None, "two readings");
}

#[test]
fn readings_do_not_end_a_member_before_the_driver_confirms_it() {
    let (mut script, name) = ending();
    let end = script.take(Verb::End);
    script.answer(&end, Err(CallError::new(ErrorClass::Fatal, "no")));
    for _ in 0..4 {
        script.pass(60);
        script.list(Vec::new());
        let end = script.take(Verb::End);
        script.answer(&end, Err(CallError::new(ErrorClass::Fatal, "no")));
    }
    assert_eq!(script.phase(&name), Some(Phase::Ending));
}

#[test]
fn end_is_repeated_if_the_member_is_still_there() {
    let (mut script, name) = ending();
    let end = script.take(Verb::End);
    script.answer(&end, Ok(Answer::Done));
    script.pass(60);
    script.list(vec![reported(&name, MemberState::Running, 1)]);
    assert_eq!(script.take(Verb::End).name, name);
}

#[test]
fn a_reading_that_began_before_a_call_ended_says_nothing() {
    let (mut script, name) = ending_at(58);
    script.pass(2);
    let stale = script.take(Verb::List);
    let end = script.take(Verb::End);
    script.answer(&end, Ok(Answer::Done));
    script.answer(&stale, Ok(Answer::Members(Vec::new())));
    script.pass(60);
    script.list(Vec::new());
    assert_eq!(script.phase(&name), Some(Phase::Ending), "the first reading that counts");
}

#[test]
fn an_answer_about_another_member_is_no_answer() {
    let mut script = Script::new(1);
    let call = script.take(Verb::Ensure);
    let other = reported("web-0001-9", MemberState::Running, 1);
    script.answer(&call, Ok(Answer::Member(other)));
    assert_eq!(script.phase(&call.name), Some(Phase::Launching));
    assert!(script.saw(|kind| matches!(kind, EventKind::CallFailed(_))));
}

#[test]
fn two_members_cannot_have_one_address() {
    let mut script = Script::new(2);
    let first = script.launch(1);
    let call = script.take(Verb::Ensure);
    let running = reported(&call.name, MemberState::Running, 1);
    script.answer(&call, Ok(Answer::Member(running)));
    assert_eq!(script.phase(&call.name), Some(Phase::Failed));
    assert_eq!(script.phase(&first), Some(Phase::InService));
}

#[test]
fn failed_calls_of_a_member_wait_longer_each_time() {
    let (mut script, _) = ending();
    // Seconds after which `end` is called again.
    for wait in [1, 2, 4, 8] {
        let end = script.take(Verb::End);
        script.answer(&end, Err(CallError::new(ErrorClass::Transient, "busy")));
        script.pass(wait - 1);
        assert!(script.calls.iter().all(|call| call.verb != Verb::End), "{wait}");
        script.pass(1);
    }
    script.take(Verb::End);
}

#[test]
fn a_late_answer_of_a_call_that_was_given_up_says_nothing() {
    let mut script = Script::new(1);
    let call = script.take(Verb::Ensure);
    script.pass(60);
    let running = reported(&call.name, MemberState::Running, 1);
    script.answer(&call, Ok(Answer::Member(running)));
    assert_eq!(script.phase(&call.name), Some(Phase::Launching));
    assert!(script.saw(|kind| matches!(kind, EventKind::CallFailed(_))));
}

#[test]
fn members_of_other_groups_are_left_alone() {
    let mut script = Script::new(1);
    script.list(Vec::new());
    let name = script.launch(1);
    let foreign = ["other-0001-1", "web", "web-api-0001-1", "web-0001-x", "web-00zz-1"];
    for _ in 0..4 {
        script.pass(60);
        let mut members: Vec<Reported> =
            foreign.iter().map(|name| reported(name, MemberState::Running, 7)).collect();
        members.push(reported(&name, MemberState::Running, 1));
        script.list(members);
    }
    assert_eq!(script.group.ledger().members.len(), 1);
    assert!(script.calls.is_empty(), "{:?}", script.calls);
}

#[test]
fn a_member_with_another_address_is_registered_again() {
    let mut script = Script::new(1);
    script.list(Vec::new());
    let name = script.launch(1);
    script.pass(60);
    script.list(vec![reported(&name, MemberState::Running, 2)]);
    assert_eq!(script.phase(&name), Some(Phase::FirstHealthy));
    let targets: Vec<_> = script.group.targets().map(|(_, address, _)| address.ip()).collect();
    assert_eq!(targets, [IpAddr::from([10, 0, 0, 2])]);
}

#[test]
fn a_member_of_a_lost_ledger_is_adopted_after_two_readings() {
    let mut script = Script::new(0);
    script.list(vec![reported("web-beef-3", MemberState::Running, 1)]);
    assert_eq!(script.phase("web-beef-3"), None, "one reading may be wrong");
    script.pass(10);
    script.list(Vec::new());
    script.pass(60);
    script.list(vec![reported("web-beef-3", MemberState::Running, 1)]);
    assert_eq!(script.phase("web-beef-3"), None, "not in a row");
    script.pass(10);
    script.list(vec![reported("web-beef-3", MemberState::Running, 1)]);
    assert!(script.saw(|kind| *kind == EventKind::Adopted));
}

#[test]
fn a_member_of_unknown_health_is_not_lost() {
    let mut script = Script::new(1);
    script.list(Vec::new());
    let name = script.launch(1);
    // A new agent has no health checks yet.
    let ledger = script.group.ledger().clone();
    script.group = Group::open(ledger, Arc::new(settings())).0;
    script.calls.clear();
    for _ in 0..3 {
        script.pass(60);
        script.list(Vec::new());
    }
    assert_eq!(script.phase(&name), Some(Phase::InService));
    script.input(Input::Health { name: name.clone(), healthy: false });
    for _ in 0..2 {
        script.pass(60);
        script.list(Vec::new());
    }
    assert_eq!(script.phase(&name), Some(Phase::Ending));
}

#[test]
fn a_member_that_boots_for_too_long_has_failed() {
    let mut script = Script::new(1);
    let first = script.take(Verb::Ensure);
    let launching = |name: &str| Ok(Answer::Member(reported(name, MemberState::Launching, 1)));
    script.answer(&first, launching(&first.name));
    for _ in 0..14 {
        script.pass(60);
        let call = script.take(Verb::Ensure);
        script.answer(&call, launching(&call.name));
    }
    assert_eq!(script.phase(&first.name), Some(Phase::Launching));
    script.pass(60);
    assert_eq!(script.phase(&first.name), Some(Phase::Failed));
    assert!(script.saw(|kind| matches!(kind, EventKind::LaunchFailed(_))));
}

#[test]
fn a_hook_that_does_not_end_has_its_default_result() {
    for (default, phase) in
        [(HookResult::Continue, Phase::FirstHealthy), (HookResult::Abandon, Phase::Failed)]
    {
        let hook = Some(Hook { timeout: Duration::from_mins(10), default });
        let mut script = Script::with(MemberSettings { launch_hook: hook, ..settings() }, 1);
        let call = script.take(Verb::Ensure);
        let running = reported(&call.name, MemberState::Running, 1);
        script.answer(&call, Ok(Answer::Member(running)));
        script.pass(300);
        script.input(Input::Heartbeat { name: call.name.clone() });
        script.pass(599);
        assert_eq!(script.phase(&call.name), Some(Phase::LaunchHook), "the time began anew");
        script.pass(1);
        assert_eq!(script.phase(&call.name), Some(phase), "{default:?}");
        assert!(script.saw(|kind| *kind == EventKind::HookTimedOut));
    }
}

#[test]
fn a_member_whose_first_health_check_does_not_pass_has_failed() {
    let mut script = Script::new(1);
    let call = script.take(Verb::Ensure);
    let running = reported(&call.name, MemberState::Running, 1);
    script.answer(&call, Ok(Answer::Member(running)));
    script.input(Input::Health { name: call.name.clone(), healthy: false });
    script.pass(299);
    assert_eq!(script.phase(&call.name), Some(Phase::FirstHealthy));
    script.pass(1);
    assert_eq!(script.phase(&call.name), Some(Phase::Failed));
}
