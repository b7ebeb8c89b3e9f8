//! The agent dies at every store write and before every action: nothing is created twice, and
//! nothing is left.

use super::agent::{Agent, settings};

/// Out to 3, in to 1, out to 2: with undo of a drain on the way.
fn scenario(agent: &mut Agent) {
    agent.desired = 3;
    (0..12).for_each(|_| agent.advance(5));
    agent.desired = 1;
    agent.advance(2);
    agent.advance(2);
    agent.desired = 2;
    (0..20).for_each(|_| agent.advance(5));
}

fn points() -> u64 {
    let mut agent = Agent::new(settings(), 1);
    scenario(&mut agent);
    agent.points
}

fn check(agent: &mut Agent, case: &str) {
    agent.settle(300);
    agent.assert_converged(case);
    let created = &agent.driver.created;
    assert!(created.values().all(|count| *count == 1), "{case}: {created:?}");
    assert_eq!(created.len(), 3, "{case}: no intent is carried out twice: {created:?}");
}

#[test]
fn a_crash_at_any_point_creates_nothing_twice_and_leaves_nothing() {
    let points = points();
    assert!(points > 25, "{points}");
    for point in 0..points {
        let mut agent = Agent::new(settings(), 1);
        agent.crash_in = Some(point);
        scenario(&mut agent);
        assert_eq!(agent.crashes, 1, "crash at {point} of {points}");
        check(&mut agent, &format!("crash at {point} of {points}"));
    }
}

#[test]
fn a_call_that_outlives_the_agent_leaves_nothing() {
    let points = points();
    for point in 0..points {
        for seconds in [1, 10, 50, 120] {
            let mut agent = Agent::new(settings(), 1);
            agent.crash_in = Some(point);
            agent.calls_outlive = Some(seconds);
            scenario(&mut agent);
            agent.settle(900);
            agent.assert_converged(&format!("crash at {point}, effect {seconds} s later"));
            let created = &agent.driver.created;
            assert_eq!(created.len(), 3, "{created:?}");
        }
    }
}

#[test]
fn two_crashes_in_short_order() {
    let points = points();
    for point in 0..points {
        for second in [0, 1, 2, 5] {
            let mut agent = Agent::new(settings(), 1);
            agent.crash_in = Some(point);
            while agent.crashes == 0 && agent.now < 60 {
                agent.desired = 3;
                agent.advance(5);
            }
            agent.crash_in = Some(second);
            scenario(&mut agent);
            check(&mut agent, &format!("crash at {point}, and {second} later"));
        }
    }
}

#[test]
fn a_lost_ledger_breaks_nothing() {
    let mut agent = Agent::new(settings(), 1);
    agent.desired = 3;
    agent.settle(120);
    agent.stored = serde_json::to_string(&lb_members::Ledger::new(2)).unwrap();
    agent.crash();
    // The members of the lost ledger are adopted; those that were launched meanwhile end.
    agent.settle(600);
    agent.assert_converged("lost ledger");
    assert_eq!(agent.saw(|kind| *kind == lb_members::EventKind::Adopted), 3);
}
