//! Rule 5: schedules, suspended ones, and clocks that are set.

use super::*;
use crate::policy::Schedule;

fn night() -> Settings {
    let schedule = Schedule {
        cron: "5 13 * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        min: Some(4),
        max: Some(8),
        desired: Some(6),
    };
    settings(vec![policy("night", PolicyKind::Schedule(schedule))])
}

/// A moment so many seconds after 13:00 in Berlin, with the wall clock wrong by `offset`.
fn off(seconds: u64, offset: i64) -> Moment {
    let moment = at(seconds);
    let offset = jiff::SignedDuration::from_secs(offset);
    Moment { wall: moment.wall.checked_add(offset).unwrap(), ..moment }
}

#[test]
fn a_schedule_sets_limits_and_desired() {
    let mut state = group(night(), 2);
    assert_eq!(run(&mut state, &Samples::new(), 0, 285).desired, 2);
    let decision = run(&mut state, &Samples::new(), 300, 300);
    assert_eq!((decision.desired, &decision.rule), (6, &Rule::Schedule("night".to_owned())));
    assert_eq!(decision.limits, Limits { min: 4, max: 8 });
    assert_eq!(run(&mut state, &Samples::new(), 315, 3600).rule, Rule::Hold);
    assert_eq!(state.limits, Limits { min: 4, max: 8 }, "until the next schedule");
}

#[test]
fn a_schedule_raises_at_once_and_lowers_to_the_need() {
    // (desired, work, what the schedule makes of it)
    let cases = [(2, 0.0, 6), (8, 0.0, 6), (8, 7000.0, 7), (2, 7000.0, 7), (20, 19_000.0, 8)];
    for (desired, work, expected) in cases {
        let mut settings = night();
        settings.policies.push(tracking("load", METRIC));
        let mut state = group(settings, desired);
        // Until the window is full, nothing else would lower it.
        for seconds in (0..300).step_by(15) {
            let decision = decide(&state, &total(f64::from(desired) * 1000.0), at(seconds));
            state.memory = decision.memory;
        }
        state.memory.needs.clear();
        state.memory.observed = state.memory.observed.map(|known| crate::memory::Interval {
            since: Moment { boot: Duration::ZERO, ..known.since },
            ..known
        });
        let decision = decide(&state, &total(work), at(300));
        assert_eq!(decision.desired, expected, "{desired} {work}\n{decision}");
    }
}

#[test]
fn what_a_schedule_asked_for_holds_for_the_window() {
    let mut settings = night();
    settings.policies.push(tracking("load", METRIC));
    let mut state = group(settings, 2);
    advance(&mut state, &total(0.0), 0, 300);
    assert_eq!(run(&mut state, &total(0.0), 315, 1200).desired, 6);
    assert_eq!(run(&mut state, &total(0.0), 1215, 1215).desired, 4);
}

#[test]
fn a_suspended_schedule_is_not_made_up_for() {
    let mut state = group(night(), 2);
    advance(&mut state, &Samples::new(), 0, 285);
    state.suspended.insert(Process::ScheduledActions);
    advance(&mut state, &Samples::new(), 300, 300);
    state.suspended.clear();
    assert_eq!(run(&mut state, &Samples::new(), 315, 3600).desired, 2);
}

#[test]
fn a_clock_that_is_set_back_makes_up_for_nothing() {
    let mut state = group(night(), 2);
    advance(&mut state, &Samples::new(), 0, 285);
    state.suspended.insert(Process::ScheduledActions);
    advance(&mut state, &Samples::new(), 300, 300);
    state.suspended.clear();
    // 15 s later, the wall clock shows 3 s later.
    let decision = decide(&state, &Samples::new(), off(315, -12));
    assert_eq!(decision.desired, 2, "{decision}");
}

#[test]
fn clocks_that_are_set() {
    /// Seconds and wall clock offset of each decision, desired after the last, what the case is.
    type Case = (&'static [(u64, i64)], u32, &'static str);
    let cases: [Case; 6] = [
        (&[(0, 0), (15, 600)], 2, "set forward over the time: nothing is due"),
        (&[(0, 0), (15, -600), (900, -600)], 6, "set back before the time: due when it comes"),
        (&[(290, 0), (330, 0)], 6, "the time lies between two decisions"),
        (&[(0, 0), (3000, 0)], 6, "the agent was away for less than an hour"),
        (&[(0, 0), (8000, 0)], 2, "the agent was away for long: it is too late"),
        (&[(300, 0)], 2, "a new group does not look back"),
    ];
    for (moments, expected, case) in cases {
        let mut state = group(night(), 2);
        for &(seconds, offset) in moments {
            let decision = decide(&state, &Samples::new(), off(seconds, offset));
            state.apply(&decision);
        }
        assert_eq!(state.desired, expected, "{case}");
    }
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing() {
    let mut state = group(night(), 2);
    advance(&mut state, &Samples::new(), 285, 300);
    assert_eq!(state.desired, 6);
    state.set_desired(5, at(301));
    for seconds in (315..=1800).step_by(15) {
        let decision = decide(&state, &Samples::new(), off(seconds, -600));
        state.apply(&decision);
    }
    assert_eq!(state.desired, 5, "13:05 came a second time");
}
