//! Rule 8: breakers, suspensions, and replacing unhealthy members.

use super::*;

fn loaded() -> State {
    group(settings(vec![tracking("load", METRIC)]), 4)
}

#[test]
fn repeated_failed_launches_pause_growth() {
    let mut state = loaded();
    // (failures, desired, launching)
    for (failures, expected, launch) in [(0, 8, true), (2, 8, true), (3, 4, false), (9, 4, false)] {
        state.memory = Memory::default();
        (0..failures).for_each(|_| state.memory.launch_failed(at(0)));
        let decision = decide(&state, &total(8000.0), at(1));
        assert_eq!((decision.desired, decision.launch), (expected, launch), "{decision}");
        assert_eq!(decision.alerts.len(), usize::from(!launch), "{decision}");
    }
    // The limits hold all the same.
    state.desired = 1;
    assert_eq!(decide(&state, &total(8000.0), at(1)).desired, 2);
}

#[test]
fn growth_must_follow_before_more_is_asked_for() {
    let mut state = loaded();
    let mut step = |seconds, work, in_service| {
        fill(&mut state, in_service);
        let decision = decide(&state, &total(work), at(seconds));
        state.apply(&decision);
        (decision.desired, decision.alerts.len())
    };
    assert_eq!(step(0, 8000.0, 4), (8, 0));
    assert_eq!(step(299, 10_000.0, 4), (10, 0), "not for 300 s yet");
    assert_eq!(step(300, 12_000.0, 4), (10, 1));
    assert_eq!(step(315, 12_000.0, 5), (12, 0), "one came into service");
    assert_eq!(step(615, 15_000.0, 5), (12, 1));
    assert_eq!(step(630, 12_000.0, 12), (12, 0));
    assert_eq!(step(2000, 15_000.0, 12), (15, 0), "all are in service: time starts anew");
}

#[test]
fn suspended_processes() {
    // (process, desired with much work, desired with little)
    let cases = [
        (Process::Launch, 4, 2),
        (Process::Terminate, 8, 4),
        (Process::AlarmNotification, 4, 4),
        (Process::ReplaceUnhealthy, 8, 2),
    ];
    for (process, out, inward) in cases {
        for (work, expected) in [(8000.0, out), (1000.0, inward)] {
            let mut state = loaded();
            state.suspended.insert(process);
            let decision = run(&mut state, &total(work), 0, 900);
            assert_eq!(decision.desired, expected, "{process:?} {work}\n{decision}");
        }
    }
}

#[test]
fn failing_open_freezes_scale_in() {
    let mut state = loaded();
    state.fails_open = true;
    let decision = run(&mut state, &total(1000.0), 0, 900);
    assert_eq!(decision.desired, 4);
    assert!(is_rejected(&decision, |because| *because == Because::FailsOpen));
    assert_eq!(run(&mut state, &total(8000.0), 915, 915).desired, 8);
}

#[test]
fn unhealthy_members_are_replaced_a_few_at_a_time() {
    // (members, unhealthy ones, protected of them, terminating unhealthy ones, replaced)
    let cases: &[(u32, u32, u32, u32, &[&str])] = &[
        (20, 0, 0, 0, &[]),
        (20, 1, 0, 0, &["web-0"]),
        (20, 5, 0, 0, &["web-0", "web-1"]),
        (20, 5, 1, 0, &["web-1", "web-2"]),
        (20, 5, 0, 1, &["web-0"]),
        (20, 5, 0, 2, &[]),
        (20, 19, 0, 0, &["web-0", "web-1"]),
        (20, 20, 0, 0, &[]),
        (4, 2, 0, 0, &["web-0"]),
        (1, 1, 0, 0, &["web-0"]),
    ];
    for &(members, unhealthy, protected, terminating, expected) in cases {
        let mut state = group(Settings::new(1, 20), members);
        state.members.iter_mut().take(unhealthy as usize).for_each(|member| member.healthy = false);
        state.members.iter_mut().take(protected as usize).for_each(|m| m.protected = true);
        for number in 0..terminating {
            let leaving = member(100 + number, Lifecycle::Terminating);
            state.members.push(Member { healthy: false, ..leaving });
        }
        let decision = decide(&state, &Samples::new(), at(0));
        assert_eq!(
            decision.replace, expected,
            "{unhealthy} of {members} are unhealthy\n{decision}"
        );
        let all_unhealthy = unhealthy == members && members > 1;
        assert_eq!(decision.alerts == [Alert::AllUnhealthy], all_unhealthy, "{decision}");
    }
}

#[test]
fn nothing_is_replaced_in_its_grace_or_without_launches() {
    let mut state =
        group(Settings { health_grace: Duration::from_mins(1), ..Settings::new(1, 20) }, 4);
    state.members[0] = Member { healthy: false, since: at(0), ..member(0, Lifecycle::InService) };
    assert_eq!(decide(&state, &Samples::new(), at(59)).replace, Vec::<String>::new());
    assert_eq!(decide(&state, &Samples::new(), at(60)).replace, ["web-0"]);
    state.suspended.insert(Process::ReplaceUnhealthy);
    assert_eq!(decide(&state, &Samples::new(), at(60)).replace, Vec::<String>::new());
    state.suspended.clear();
    (0..3).for_each(|_| state.memory.launch_failed(at(50)));
    assert_eq!(decide(&state, &Samples::new(), at(60)).replace, Vec::<String>::new());
}
