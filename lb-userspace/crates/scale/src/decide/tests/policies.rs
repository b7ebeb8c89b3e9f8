//! Rule 6: step and simple policies, and rates.

use super::*;
use crate::{
    adjustment::Adjustment::{self, Change, Percent},
    policy::{Breach, SimpleScaling, Step, StepScaling},
    settings::Rate,
};

fn step(threshold: f64, steps: &[(Option<f64>, Option<f64>, Adjustment)]) -> Policy {
    let steps = steps.iter().map(|&(lower, upper, adjust)| Step { lower, upper, adjust });
    let scaling = StepScaling {
        metric: METRIC.to_owned(),
        threshold,
        steps: steps.collect(),
        min_adjustment: 0,
    };
    policy("burst", PolicyKind::Step(scaling))
}

/// The policy of scale-out in the EC2 Auto Scaling user guide: +10 % from 60 on, +30 % from 70 on.
fn guide() -> Policy {
    let steps = [
        (Some(0.0), Some(10.0), Percent(0)),
        (Some(10.0), Some(20.0), Percent(10)),
        (Some(20.0), None, Percent(30)),
    ];
    step(50.0, &steps)
}

#[test]
fn a_growing_breach_adds_the_rest() {
    // The example of the user guide: 10 instances, 60 adds one; while that one warms up, 70 makes
    // it 13, so two more.
    let mut state = group(settings(vec![guide()]), 10);
    let per_target = |state: &State, value: f64| total(value * f64::from(state.in_service()));
    // (value, members that are warm, desired)
    let cases = [(59.0, 10, 10), (60.0, 10, 11), (60.0, 10, 11), (70.0, 10, 13), (70.0, 10, 13)];
    for (seconds, (value, warm, expected)) in (0..).step_by(15).zip(cases) {
        fill(&mut state, warm);
        let decision = decide(&state, &per_target(&state, value), at(seconds));
        state.apply(&decision);
        assert_eq!(state.desired, expected, "{value}\n{decision}");
    }
    // Once they are warm, they count: 30 % of 13 are 3.
    fill(&mut state, 13);
    assert_eq!(decide(&state, &per_target(&state, 75.0), at(600)).desired, 16);
}

#[test]
fn a_step_lowers_only_after_a_whole_window_in_breach() {
    let scaling =
        step(40.0, &[(Some(-10.0), Some(0.0), Percent(-10)), (None, Some(-10.0), Percent(-30))]);
    let mut state = group(settings(vec![scaling]), 10);
    assert_eq!(run(&mut state, &total(350.0), 0, 885).desired, 10);
    assert_eq!(run(&mut state, &total(350.0), 900, 900).desired, 9);
    // One sample out of breach, and the window begins again.
    let mut state = State { members: Vec::new(), ..state };
    fill(&mut state, 9);
    advance(&mut state, &total(9.0 * 35.0), 915, 1500);
    advance(&mut state, &total(9.0 * 45.0), 1515, 1515);
    assert_eq!(run(&mut state, &total(9.0 * 35.0), 1530, 2415).desired, 9);
    assert_eq!(run(&mut state, &total(9.0 * 35.0), 2430, 2430).desired, 8);
}

#[test]
fn a_step_does_not_lower_saturated_targets() {
    let scaling = step(40.0, &[(None, Some(0.0), Percent(-10))]);
    for (saturated, expected) in [(true, 10), (false, 9)] {
        let reading = Reading::Total { sample: Sample::Value(350.0), saturated };
        let samples = Samples::from([(METRIC.to_owned(), reading)]);
        let mut state = group(settings(vec![scaling.clone()]), 10);
        assert_eq!(run(&mut state, &samples, 0, 900).desired, expected, "{saturated}");
    }
}

#[test]
fn a_step_out_does_not_keep_others_from_scaling_in() {
    let mut state = group(settings(vec![guide(), tracking("load", "y")]), 10);
    let mut samples = total(100.0);
    samples.insert("y".to_owned(), Reading::total(3000.0));
    assert_eq!(run(&mut state, &samples, 0, 900).desired, 3);
}

fn simple(breach: Breach, threshold: f64, adjust: Adjustment) -> Policy {
    let scaling = SimpleScaling {
        metric: METRIC.to_owned(),
        threshold,
        breach,
        adjust,
        min_adjustment: 0,
        cooldown: None,
    };
    policy("simple", PolicyKind::Simple(scaling))
}

#[test]
fn a_simple_policy_waits_for_members_and_its_cooldown() {
    let mut state = group(settings(vec![simple(Breach::Above, 50.0, Change(2))]), 4);
    let high = |state: &State| total(60.0 * f64::from(state.in_service()));
    // (seconds, members in service, desired)
    let cases = [(0, 4, 6), (15, 4, 6), (299, 6, 6), (300, 5, 6), (315, 6, 8), (330, 8, 8)];
    for (seconds, in_service, expected) in cases {
        fill(&mut state, in_service);
        let decision = decide(&state, &high(&state), at(seconds));
        state.apply(&decision);
        assert_eq!(state.desired, expected, "at {seconds} s\n{decision}");
    }
}

#[test]
fn a_simple_policy_of_scale_in() {
    let mut state = group(settings(vec![simple(Breach::Below, 50.0, Change(-1))]), 6);
    assert_eq!(run(&mut state, &total(60.0), 0, 885).desired, 6);
    assert_eq!(run(&mut state, &total(60.0), 900, 900).desired, 5);
}

#[test]
fn rates_limit_stabilised_needs() {
    let rate = |targets| Some(Rate { targets, percent: 0, period: Duration::from_mins(1) });
    let limited = Settings {
        scale_out_rate: rate(4),
        scale_in_rate: rate(1),
        ..settings(vec![tracking("load", METRIC)])
    };
    let mut state = group(limited, 4);
    // (seconds, desired)
    for (seconds, expected) in [(0, 8), (15, 8), (45, 8), (60, 12), (120, 16), (180, 20)] {
        let decision = run(&mut state, &total(20_000.0), seconds, seconds);
        assert_eq!(decision.desired, expected, "at {seconds} s\n{decision}");
        assert_eq!(is_rejected(&decision, |b| *b == Because::Rate), expected < 20, "{decision}");
    }
    advance(&mut state, &total(3000.0), 195, 1080);
    assert_eq!(state.desired, 20);
    assert_eq!(run(&mut state, &total(3000.0), 1095, 1095).desired, 19);
    assert_eq!(run(&mut state, &total(3000.0), 1110, 1140).desired, 19);
    assert_eq!(run(&mut state, &total(3000.0), 1155, 1155).desired, 18);
}
