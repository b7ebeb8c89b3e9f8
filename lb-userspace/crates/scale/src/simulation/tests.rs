//! Rules under loads that are so simple that the result is known.

use super::*;

fn ticks(seconds: u64) -> usize {
    usize::try_from(seconds / TICK.as_secs()).unwrap()
}

/// So much work for some seconds, and then another for some seconds.
fn step(before: f64, seconds: u64, after: f64, later: u64) -> Vec<f64> {
    let mut work = vec![before; ticks(seconds)];
    work.extend(vec![after; ticks(later)]);
    work
}

fn score(rule: &mut dyn ScalingRule, work: &[f64]) -> Scorecard {
    run(rule, work, &Conditions::default())
}

#[test]
fn how_long_each_rule_is_short_after_a_step() {
    // From 4 targets' worth to 8 after an hour, at the start of a period of each rule.
    let work = step(4000.0, 3600, 8000.0, 3600);
    let conditions = Conditions::default();
    // xelb: the sample after 15 s, and 60 s to boot.
    let xelb = score(&mut xelb_rule::XelbRule::new(&conditions), &work);
    assert_eq!((xelb.violation, xelb.actions), (Duration::from_secs(75), 1));
    // AWS: 3 periods of 60 s, and 60 s to boot.
    let aws = score(&mut aws_rule::AwsRule::new(1000.0), &work);
    assert_eq!((aws.violation, aws.actions), (Duration::from_mins(4), 1));
    // HPA: as xelb; the double is within its rate.
    let hpa = score(&mut hpa_rule::HpaRule::new(1000.0), &work);
    assert_eq!((hpa.violation, hpa.actions), (Duration::from_secs(75), 1));
}

#[test]
fn how_long_each_rule_keeps_targets_after_a_step_down() {
    let work = step(8000.0, 3600, 4000.0, 3600);
    let conditions = Conditions::default();
    // Seconds with more than 4 targets: the window or the periods, and the drain.
    let cases: [(Box<dyn ScalingRule>, u64); 3] = [
        (Box::new(xelb_rule::XelbRule::new(&conditions)), 915 + 60),
        (Box::new(aws_rule::AwsRule::new(1000.0)), 900 + 60),
        (Box::new(hpa_rule::HpaRule::new(1000.0)), 315 + 60),
    ];
    for (mut rule, expected) in cases {
        let result = score(rule.as_mut(), &work);
        assert_eq!(result.excess, Duration::from_secs(expected), "{}", rule.name());
        assert_eq!((result.violation, result.actions), (Duration::ZERO, 1), "{}", rule.name());
    }
}

#[test]
fn static_peak_costs_all_and_is_never_short() {
    let work = Load::Bursts.generate(1, 3);
    let peak = work.iter().copied().fold(0.0, f64::max);
    let result = score(&mut static_peak::StaticPeak(need(peak, 1000.0)), &work);
    assert_eq!(result.need_max, need(peak, 1000.0));
    // It starts with what the first tick needs.
    assert!(result.violation <= Duration::from_mins(1), "{result:?}");
    assert!(result.cost_of_static_peak() > 0.99, "{result:?}");
}

#[test]
fn a_quota_bounds_what_exists() {
    let fleet = FleetConditions { quota: 5, launch_failures: 0.2, ..FleetConditions::default() };
    let conditions = Conditions { fleet, ..Conditions::default() };
    let work = step(4000.0, 3600, 20_000.0, 3600);
    let result = run(&mut xelb_rule::XelbRule::new(&conditions), &work, &conditions);
    assert!(result.member_hours() <= 2.0 * 5.0, "{result:?}");
    assert!(result.violation >= Duration::from_secs(3500), "{result:?}");
}
