//! Contradictions: wrong settings, and the path and the words of each message.

use super::*;
use crate::{
    adjustment::Adjustment::{self, Change, Exact, Percent},
    policy::{Breach, Schedule, SimpleScaling, Step, StepScaling, TargetTracking},
};

fn policy(name: &str, kind: PolicyKind) -> Policy {
    Policy { name: name.to_owned(), kind }
}

fn tracking(value: f64) -> PolicyKind {
    let metric = "requests_per_target".to_owned();
    PolicyKind::TargetTracking(TargetTracking { metric, value, disable_scale_in: false })
}

fn step(steps: &[(Option<f64>, Option<f64>, Adjustment)], min_adjustment: u32) -> PolicyKind {
    let steps = steps.iter().map(|&(lower, upper, adjust)| Step { lower, upper, adjust });
    PolicyKind::Step(StepScaling {
        metric: "cpu".to_owned(),
        threshold: 50.0,
        steps: steps.collect(),
        min_adjustment,
    })
}

fn simple(adjust: Adjustment, threshold: f64) -> PolicyKind {
    PolicyKind::Simple(SimpleScaling {
        metric: "cpu".to_owned(),
        threshold,
        breach: Breach::Above,
        adjust,
        min_adjustment: 0,
        cooldown: None,
    })
}

fn schedule(cron: &str, zone: &str, capacity: [Option<u32>; 3]) -> PolicyKind {
    let [min, max, desired] = capacity;
    let (cron, timezone) = (cron.to_owned(), zone.to_owned());
    PolicyKind::Schedule(Schedule { cron, timezone, min, max, desired })
}

/// Checks that exactly one contradiction is found.
fn check(settings: Settings, path: &str, words: &str) {
    let found = CheckedSettings::new(settings).map(|_| ()).unwrap_err();
    let [only] = found.as_slice() else { panic!("{path}: {words}: {found:?}") };
    assert_eq!(only.path, path, "{words}: {only}");
    assert!(only.message.contains(words), "{words}: {only}");
}

fn with_policy(kind: PolicyKind) -> Settings {
    Settings { policies: vec![policy("a", kind)], ..Settings::new(2, 20) }
}

#[test]
fn contradictions_of_a_group() {
    let fine = Settings::new(2, 20);
    let seconds = Duration::from_secs;
    let rate = |targets, period| Some(Rate { targets, percent: 0, period: seconds(period) });
    let two = vec![policy("a", tracking(1.0)), policy("a", tracking(2.0))];
    let cases = [
        (Settings::new(5, 2), "min", "min 5 exceeds max 2"),
        (Settings::new(2, 1001), "max", "1001 exceeds 1000"),
        (
            Settings { initial: Some(1), ..fine.clone() },
            "initial",
            "1 is outside the limits 2 to 20",
        ),
        (Settings { initial: Some(21), ..fine.clone() }, "initial", "21 is outside"),
        (Settings { tolerance: -0.1, ..fine.clone() }, "tolerance", "-0.1 is no share"),
        (Settings { tolerance: 1.0, ..fine.clone() }, "tolerance", "less than 1"),
        (Settings { tolerance: f64::NAN, ..fine.clone() }, "tolerance", "NaN"),
        (
            Settings { scale_in_window: seconds(14), ..fine.clone() },
            "scale_in_window",
            "14s is shorter than the sample interval of 15s",
        ),
        (Settings { cooldown: seconds(86_401), ..fine.clone() }, "cooldown", "exceeds 86400s"),
        (
            Settings { sample_interval: seconds(0), ..fine.clone() },
            "sample_interval",
            "shorter than 1 second",
        ),
        (
            Settings { scale_out_rate: rate(0, 60), ..fine.clone() },
            "scale_out_rate",
            "allow no change",
        ),
        (
            Settings { scale_in_rate: rate(1, 5), ..fine.clone() },
            "scale_in_rate.period",
            "5s is shorter than the sample interval",
        ),
        (
            Settings {
                replacement: crate::settings::Replacement { max_at_once_percent: 0 },
                ..fine.clone()
            },
            "replacement.max_at_once",
            "0 % is not from 1",
        ),
        (Settings { policies: two, ..fine }, "policies[1].name", "another policy is called a"),
    ];
    for (settings, path, words) in cases {
        check(settings, path, words);
    }
}

#[test]
fn contradictions_of_policies() {
    let (lower, upper) = (Some, Some);
    let open = None;
    let cases = [
        (tracking(0.0), "target_tracking.value", "0 is no work of one target"),
        (tracking(f64::NAN), "target_tracking.value", "NaN is no work"),
        (step(&[], 0), "step.steps", "there is none"),
        (step(&[(open, open, Change(1))], 0), "step.steps[0]", "it has no bound"),
        (
            step(&[(lower(0.0), upper(20.0), Change(1)), (lower(10.0), open, Change(2))], 0),
            "step.steps[1].lower",
            "it overlaps steps[0]",
        ),
        (
            step(&[(lower(20.0), open, Change(2)), (lower(0.0), upper(10.0), Change(1))], 0),
            "step.steps[0].lower",
            "there is a gap after steps[1]",
        ),
        (
            step(&[(lower(10.0), upper(5.0), Change(1))], 0),
            "step.steps[0].lower",
            "10 is not below upper 5",
        ),
        (
            step(&[(lower(-5.0), open, Change(1))], 0),
            "step.steps[0]",
            "both sides of the threshold",
        ),
        (
            step(&[(lower(0.0), upper(10.0), Change(1))], 0),
            "step.steps[0].upper",
            "above it nothing would happen",
        ),
        (
            step(&[(lower(-10.0), upper(0.0), Change(-1))], 0),
            "step.steps[0].lower",
            "below it nothing would happen",
        ),
        (step(&[(lower(0.0), open, Change(0))], 0), "step.steps", "none of them changes anything"),
        (
            step(&[(lower(0.0), upper(10.0), Change(1)), (lower(10.0), open, Percent(10))], 0),
            "step.steps[1].adjust",
            "+10% is of another type than +1",
        ),
        (step(&[(lower(0.0), open, Exact(3))], 2), "step.min_adjustment", "only percentages"),
        (simple(Percent(0), 50.0), "simple.adjust", "+0% changes nothing"),
        (simple(Change(1), f64::INFINITY), "simple.threshold", "inf is no threshold"),
    ];
    for (kind, path, words) in cases {
        check(with_policy(kind), &format!("policies[0].{path}"), words);
    }
}

#[test]
fn contradictions_of_schedules() {
    let cases = [
        (schedule("0 22 * *", "Etc/UTC", [Some(2), None, None]), "schedule.cron", "has 4"),
        (
            schedule("0 22 * * *", "Europe/Entenhausen", [Some(2), None, None]),
            "schedule.timezone",
            "`Europe/Entenhausen` is no time zone",
        ),
        (schedule("0 22 * * *", "Etc/UTC", [None; 3]), "schedule", "it changes nothing"),
        (
            schedule("0 22 * * *", "Etc/UTC", [Some(30), None, None]),
            "schedule.min",
            "min would be 30 and max 20 then",
        ),
        (
            schedule("0 22 * * *", "Etc/UTC", [None, Some(1), None]),
            "schedule.max",
            "min would be 2 and max 1 then",
        ),
        (
            schedule("0 22 * * *", "Etc/UTC", [Some(1), Some(5), Some(6)]),
            "schedule.desired",
            "6 is outside the limits 1 to 5",
        ),
    ];
    for (kind, path, words) in cases {
        check(with_policy(kind), &format!("policies[0].{path}"), words);
    }
}

#[test]
fn all_contradictions_are_found_at_once() {
    let policies = vec![policy("", tracking(-1.0))];
    let settings = Settings { policies, tolerance: 2.0, ..Settings::new(3, 1) };
    let found = CheckedSettings::new(settings).map(|_| ()).unwrap_err();
    let paths: Vec<&str> = found.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(
        paths,
        ["min", "tolerance", "policies[0].name", "policies[0].target_tracking.value"]
    );
}

#[test]
fn sound_settings_pass() {
    let steps = [
        (None, Some(-20.0), Percent(-30)),
        (Some(-20.0), Some(0.0), Percent(-10)),
        (Some(0.0), Some(10.0), Percent(10)),
        (Some(10.0), None, Percent(30)),
    ];
    let night = schedule("0 22 * * *", "Europe/Berlin", [Some(1), Some(5), Some(2)]);
    let policies = vec![
        policy("load", tracking(1000.0)),
        policy("burst", step(&steps, 2)),
        policy("n", night),
    ];
    let checked = CheckedSettings::new(Settings { policies, ..Settings::new(0, 20) }).unwrap();
    let times: Vec<bool> = checked.timed_policies().map(|(_, time)| time.is_some()).collect();
    assert_eq!(times, [false, false, true]);
}
