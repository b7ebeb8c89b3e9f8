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

#[test]
fn failed_launches_reach_the_breaker() {
    let work = step(4000.0, 600, 20_000.0, 3600);
    for (launch_failures, may_launch) in [(0.0, true), (1.0, false)] {
        let fleet = FleetConditions { launch_failures, ..FleetConditions::default() };
        let conditions = Conditions { fleet, ..Conditions::default() };
        let mut rule = xelb_rule::XelbRule::new(&conditions);
        let result = run(&mut rule, &work, &conditions);
        assert_eq!(rule.may_launch(), may_launch, "{result:?}");
    }
}

/// A view of a group with so many members, the last of them pending.
fn ask(rule: &mut dyn ScalingRule, work: f64, in_service: u32, pending: u32, desired: u32) -> u32 {
    let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
    let fleet = FleetConditions::default();
    let mut fleet = Fleet::new(fleet, in_service, start, 1);
    fleet.advance(in_service + pending, true, start);
    let members = fleet.members();
    let launches = Launches::default();
    rule.desired(&View { now: start, work, in_service, members, launches, desired })
}

#[test]
fn hpa_formula() {
    // (work, ready, pending, desired, result)
    let cases = [
        (4000.0, 4, 0, 4, 4),
        (4399.0, 4, 0, 4, 4),
        (4401.0, 4, 0, 4, 5),
        (3601.0, 4, 0, 4, 4),
        (2000.0, 4, 0, 4, 2),
        // At most the double, or 4 more.
        (40_000.0, 2, 0, 2, 6),
        (40_000.0, 10, 0, 10, 20),
        // Pods that are not ready count as idle.
        (8000.0, 4, 4, 8, 8),
        (9900.0, 4, 4, 8, 10),
    ];
    for (work, ready, pending, desired, expected) in cases {
        let mut rule = hpa_rule::HpaRule::new(1000.0);
        let result = ask(&mut rule, work, ready, pending, desired);
        assert_eq!(result, expected, "{work} with {ready} ready and {pending} pending");
    }
}

#[test]
fn aws_formula() {
    // (work, in service, pending, periods, desired after so many periods)
    let cases = [
        (4100.0, 4, 0, 2, 4),
        (4100.0, 4, 0, 3, 5),
        (4000.0, 4, 0, 20, 4),
        (9000.0, 4, 0, 3, 9),
        (2000.0, 4, 0, 14, 4),
        (2000.0, 4, 0, 15, 2),
        (3601.0, 4, 0, 20, 4),
        (2000.0, 4, 1, 20, 5),
    ];
    for (work, in_service, pending, periods, expected) in cases {
        let mut rule = aws_rule::AwsRule::new(1000.0);
        let before = in_service + pending;
        let results = (0..periods).map(|_| ask(&mut rule, work, in_service, pending, before));
        assert_eq!(results.last(), Some(expected), "{work} for {periods} periods");
    }
}
