//! Cases of whole decisions: for each rule, a state, samples, and what must follow.

mod inputs;
mod members;
mod policies;
mod restarts;
mod schedules;

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    member::{Lifecycle, Member},
    policy::{Policy, PolicyKind, TargetTracking},
    sample::Reading,
    settings::Settings,
    validate::CheckedSettings,
};

pub(super) const METRIC: &str = "requests_per_target";

pub(super) fn at(seconds: u64) -> Moment {
    let start = Moment {
        boot_id: 1,
        boot: Duration::from_secs(1_000_000),
        wall: "2026-11-29T12:00:00Z".parse().unwrap(),
    };
    start.after(Duration::from_secs(seconds))
}

pub(super) fn policy(name: &str, kind: PolicyKind) -> Policy {
    Policy { name: name.to_owned(), kind }
}

/// A policy with 1000 a target.
pub(super) fn tracking(name: &str, metric: &str) -> Policy {
    let (metric, value) = (metric.to_owned(), 1000.0);
    let tracking = TargetTracking { metric, value, disable_scale_in: false };
    policy(name, PolicyKind::TargetTracking(tracking))
}

pub(super) fn settings(policies: Vec<Policy>) -> Settings {
    Settings { policies, ..Settings::new(2, 20) }
}

/// A group with so many warm, healthy members.
pub(super) fn group(settings: Settings, desired: u32) -> State {
    let mut state = State::new(Arc::new(CheckedSettings::new(settings).unwrap()));
    state.desired = desired;
    fill(&mut state, desired);
    state
}

/// Gives it so many members that are warm and healthy.
pub(super) fn fill(state: &mut State, count: u32) {
    state.members = (0..count).map(|number| member(number, Lifecycle::InService)).collect();
}

pub(super) fn member(number: u32, lifecycle: Lifecycle) -> Member {
    let since = Moment { boot: Duration::ZERO, ..at(0) };
    Member { name: format!("web-{number}"), lifecycle, since, healthy: true, protected: false }
}

pub(super) fn total(value: f64) -> Samples {
    Samples::from([(METRIC.to_owned(), Reading::total(value))])
}

/// Decides every 15 seconds from `from` to `to`, and takes over each decision. Members follow at
/// once.
pub(super) fn run(state: &mut State, samples: &Samples, from: u64, to: u64) -> Decision {
    let mut last = None;
    for seconds in (from..=to).step_by(15) {
        let decision = decide(state, samples, at(seconds));
        state.apply(&decision);
        fill(state, state.desired);
        last = Some(decision);
    }
    last.expect("at least one decision")
}

/// [`run`], where only the state counts afterwards.
pub(super) fn advance(state: &mut State, samples: &Samples, from: u64, to: u64) {
    drop(run(state, samples, from, to));
}

/// Whether a reason is among the rejected ones.
pub(super) fn is_rejected(decision: &Decision, is_it: impl Fn(&Because) -> bool) -> bool {
    decision.rejected.iter().any(|rejected| is_it(&rejected.because))
}

#[test]
fn limits_come_before_any_metric() {
    // (desired, work, result, rule is limits)
    let cases = [
        (1, 0.0, 2, true),
        (30, 1e9, 20, true),
        (10, 1e9, 20, false),
        (20, 1e300, 20, false),
        (2, 0.0, 2, false),
    ];
    for (desired, work, expected, by_limits) in cases {
        let state = group(settings(vec![tracking("load", METRIC)]), desired);
        let decision = decide(&state, &total(work), at(0));
        assert_eq!(decision.desired, expected, "{desired} {work}\n{decision}");
        assert_eq!(decision.rule == Rule::Limits, by_limits, "{desired} {work}\n{decision}");
    }
}

#[test]
fn out_at_once_and_in_after_the_window() {
    let mut state = group(settings(vec![tracking("load", METRIC)]), 4);
    let decision = run(&mut state, &total(7500.0), 0, 0);
    assert_eq!((decision.from, decision.desired), (4, 8));
    assert_eq!(decision.rule, Rule::ScaleOut("load".to_owned()));
    // The last sample with the large need is at 0 s, and holds for 900 s.
    let decision = run(&mut state, &total(3000.0), 15, 900);
    assert_eq!(decision.desired, 8, "{decision}");
    let before = |because: &Because| matches!(because, Because::NeededBefore { need, .. } if (*need - 7.5).abs() < 1e-9);
    assert!(is_rejected(&decision, before), "{decision}");
    let decision = run(&mut state, &total(3000.0), 915, 915);
    assert_eq!((decision.from, decision.desired), (8, 3), "{decision}");
    assert_eq!(decision.rule, Rule::ScaleIn("load".to_owned()));
}

#[test]
fn scale_in_begins_beyond_the_tolerance() {
    // (work in targets' worth, what 10 targets become after a full window)
    let cases = [(10.0, 10), (10.1, 11), (11.1, 12), (9.1, 10), (9.0, 10), (8.9, 9), (8.0, 8)];
    for (work, expected) in cases {
        let mut state = group(settings(vec![tracking("load", METRIC)]), 10);
        let decision = run(&mut state, &total(work * 1000.0), 0, 900);
        assert_eq!(decision.desired, expected, "{work}\n{decision}");
    }
}

#[test]
fn the_same_breach_adds_once_while_members_are_pending() {
    let mut state = group(settings(vec![tracking("load", METRIC)]), 4);
    for seconds in (0..300).step_by(15) {
        let decision = decide(&state, &total(7500.0), at(seconds));
        state.apply(&decision);
        assert_eq!(state.desired, 8, "at {seconds} s\n{decision}");
    }
}

#[test]
fn from_zero_and_to_zero() {
    let empty = Settings { policies: vec![tracking("load", METRIC)], ..Settings::new(0, 20) };
    let mut state = group(empty, 0);
    assert_eq!(run(&mut state, &total(0.0), 0, 900).desired, 0);
    assert_eq!(run(&mut state, &total(0.001), 915, 915).desired, 1);
    assert_eq!(run(&mut state, &total(0.0), 930, 1815).desired, 1);
    assert_eq!(run(&mut state, &total(0.0), 1830, 1830).desired, 0);
}

#[test]
fn the_largest_policy_wins_and_scale_in_needs_all() {
    let mut state = group(settings(vec![tracking("a", "x"), tracking("b", "y")]), 6);
    let samples = |x: f64, y: f64| {
        Samples::from([("x".to_owned(), Reading::total(x)), ("y".to_owned(), Reading::total(y))])
    };
    let decision = decide(&state, &samples(8000.0, 9000.0), at(0));
    assert_eq!((decision.desired, &decision.rule), (9, &Rule::ScaleOut("b".to_owned())));
    assert!(is_rejected(&decision, |because| *because == Because::Larger("b".to_owned())));
    let decision = run(&mut state, &samples(2000.0, 5900.0), 0, 1800);
    assert_eq!(decision.desired, 6, "b does not agree\n{decision}");
    let decision = run(&mut state, &samples(2000.0, 3500.0), 1815, 3600);
    assert_eq!(decision.desired, 4, "{decision}");
    assert_eq!(decision.rule, Rule::Hold, "it was lowered before");
}

#[test]
fn saturated_targets_do_not_scale_in() {
    let mut state = group(settings(vec![tracking("load", METRIC)]), 6);
    let saturated = |value| {
        let reading = Reading::Total { sample: Sample::Value(value), saturated: true };
        Samples::from([(METRIC.to_owned(), reading)])
    };
    assert_eq!(run(&mut state, &saturated(2000.0), 0, 1800).desired, 6);
    assert_eq!(run(&mut state, &saturated(7000.0), 1815, 1815).desired, 7);
}

#[test]
fn a_disabled_scale_in_still_counts_as_need() {
    let only_out = |name: &str, metric: &str| {
        let Policy { kind: PolicyKind::TargetTracking(kind), .. } = tracking(name, metric) else {
            unreachable!()
        };
        let kind = TargetTracking { disable_scale_in: true, ..kind };
        policy(name, PolicyKind::TargetTracking(kind))
    };
    let mut state = group(settings(vec![only_out("load", METRIC)]), 6);
    assert_eq!(run(&mut state, &total(0.0), 0, 1800).desired, 6);
    let mut state = group(settings(vec![only_out("a", METRIC), tracking("b", METRIC)]), 10);
    assert_eq!(run(&mut state, &total(4000.0), 0, 1800).desired, 4);
}

#[test]
fn a_decision_reads_in_plain_words_and_survives_storage() {
    let state = group(settings(vec![tracking("a", METRIC), tracking("b", "y")]), 4);
    let decision = decide(&state, &total(5400.0), at(0));
    let text = crate::explain(&decision);
    let expected = "4 -> 6 targets at 2026-11-29T12:00:00Z\n\
        rule: policy a asks for the largest capacity\n\
        limits: 2 to 20\n\
        input: a sees requests_per_target = 5400, and needs 5.40 targets\n\
        input: b sees y = error: no reading of y, and blocks scale-in\n\
        alert: the input of policy b failed: no reading of y\n";
    assert_eq!(text, expected);
    let stored = serde_json::to_string(&decision).unwrap();
    let read: Decision = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, decision);
}
