//! Decisions of `lb_scale` and members together, on virtual time.

use std::sync::Arc;

use lb_members::{Demand, EventKind, Input, Phase};
use lb_scale::{
    CheckedSettings, Policy, PolicyKind, Reading, Samples, Settings, State, TargetTracking, decide,
};

use super::agent::{Agent, at, settings};

/// Seconds between two decisions.
const INTERVAL: u64 = 15;

fn state() -> State {
    let tracking = TargetTracking {
        metric: "requests_per_target".to_owned(),
        value: 1000.0,
        disable_scale_in: false,
    };
    let policy = Policy { name: "load".to_owned(), kind: PolicyKind::TargetTracking(tracking) };
    let settings = Settings { policies: vec![policy], ..Settings::new(2, 20) };
    State::new(Arc::new(CheckedSettings::new(settings).unwrap()))
}

/// So many minutes with a load, in requests a second.
fn run(agent: &mut Agent, state: &mut State, minutes: u64, load: f64) {
    let samples = Samples::from([("requests_per_target".to_owned(), Reading::total(load))]);
    for _ in 0..minutes * 60 / INTERVAL {
        state.members = agent.group.members();
        let decision = decide(state, &samples, at(agent.now));
        state.apply(&decision);
        agent.desired = decision.desired;
        agent.input(Input::Demand(Demand::of(&decision, !state.fails_open)));
        agent.advance(INTERVAL);
    }
}

#[test]
fn members_follow_the_load() {
    let (mut agent, mut state) = (Agent::new(settings(), 1), state());
    run(&mut agent, &mut state, 5, 0.0);
    assert_eq!(agent.in_phase(Phase::InService), 2);
    run(&mut agent, &mut state, 5, 5400.0);
    assert_eq!(agent.in_phase(Phase::InService), 6);
    run(&mut agent, &mut state, 14, 500.0);
    assert_eq!(agent.in_phase(Phase::InService), 6, "the largest need of 15 minutes holds");
    run(&mut agent, &mut state, 5, 500.0);
    agent.assert_converged("after the load");
    assert_eq!(agent.desired, 2);
}

#[test]
fn an_unhealthy_member_is_replaced_as_decided() {
    let (mut agent, mut state) = (Agent::new(settings(), 1), state());
    run(&mut agent, &mut state, 5, 2900.0);
    let before = agent.group.members();
    agent.driver.instances.values_mut().next().unwrap().sick = true;
    run(&mut agent, &mut state, 5, 2900.0);
    let replaced = |kind: &EventKind| *kind == EventKind::Ends(lb_members::Cause::Unhealthy);
    assert_eq!(agent.saw(replaced), 1);
    agent.assert_converged("replaced");
    assert_ne!(agent.group.members().first().unwrap().name, before.first().unwrap().name);
}
