//! Which members leave, and which template new ones have: one choice at a time.

use std::sync::Arc;

use lb_members::{CallError, ErrorClass, Input, MemberSettings, Phase, Verb, WarmPool, WarmState};

use super::{agent::settings, readings::Script};

fn of_template(template: &str) -> Arc<MemberSettings> {
    Arc::new(MemberSettings { template: template.to_owned(), ..settings() })
}

#[test]
fn an_unhealthy_member_leaves_before_a_healthy_one() {
    for sick in 0..2 {
        let mut script = Script::new(2);
        let names = [script.launch(1), script.launch(2)];
        script.input(Input::Health { name: names[sick].clone(), healthy: false });
        script.demand(1);
        assert_eq!(script.phase(&names[sick]), Some(Phase::Draining));
        assert_eq!(script.phase(&names[1 - sick]), Some(Phase::InService));
    }
}

#[test]
fn a_member_that_was_never_healthy_leaves_before_an_unhealthy_one() {
    let mut script = Script::new(2);
    let first = script.launch(1);
    script.input(Input::Health { name: first.clone(), healthy: false });
    let second = script.boot(2);
    script.demand(1);
    assert_eq!(script.phase(&first), Some(Phase::InService));
    assert_eq!(script.phase(&second), Some(Phase::Draining));
}

#[test]
fn a_wrong_template_pauses_until_there_is_another() {
    let mut script = Script::new(1);
    script.list(Vec::new());
    let call = script.take(Verb::Ensure);
    script.answer(&call, Err(CallError::new(ErrorClass::Template, "no such image")));
    for _ in 0..30 {
        script.pass(60);
        script.list(Vec::new());
    }
    assert!(script.calls.is_empty(), "{:?}", script.calls);
    script.group.set_settings(of_template("b"));
    script.pass(1);
    let next = script.take(Verb::Ensure);
    assert_eq!(next.template, "b");
    assert_ne!(next.name, call.name, "a name has one template");
}

#[test]
fn a_warm_member_of_an_old_template_is_not_taken() {
    let pool = Some(WarmPool { size: 1, state: WarmState::Running });
    let mut script = Script::with(MemberSettings { warm_pool: pool, ..settings() }, 0);
    let warm = script.boot(1);
    assert_eq!(script.phase(&warm), Some(Phase::Warm));
    let other = MemberSettings { warm_pool: pool, ..(*of_template("b")).clone() };
    script.group.set_settings(Arc::new(other));
    script.demand(1);
    assert_eq!(script.phase(&warm), Some(Phase::Ending));
    assert_eq!(script.take(Verb::Ensure).template, "b");
}
