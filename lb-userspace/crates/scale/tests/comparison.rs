//! The decision beside the rules of AWS and Kubernetes, under generated load.
//! docs/decisions/scaling.md has the tables; this prints them:
//!
//! ```sh
//! cargo test -p lb-scale --test comparison -- --nocapture
//! ```

use std::time::Duration;

use lb_scale::{
    FleetConditions,
    simulation::{Conditions, Load, Report, compare},
};

const XELB: &str = "xelb";
const AWS: &str = "AWS target tracking";

/// Under each load, xelb must be short of need less often than AWS' rule, by this factor at least,
/// and cost at most so much more.
fn check(report: &Report, fewer: f64, cost: f64) {
    for load in Load::ALL {
        let (xelb, aws) = (report.score(load, XELB).unwrap(), report.score(load, AWS).unwrap());
        let (ours, theirs) = (xelb.violation_share(), aws.violation_share());
        assert!(ours * fewer < theirs, "{load:?}: {ours} is not below {theirs} / {fewer}");
        let ratio = xelb.member_hours() / aws.member_hours();
        assert!(ratio < cost, "{load:?}: the cost is {ratio} times that of AWS' rule");
    }
}

#[test]
fn less_often_short_than_aws_without_a_reserve() {
    let report = compare(&Conditions::default());
    println!("60 s to boot, no reserve:\n\n{report}");
    check(&report, 4.0, 1.25);
    // Other seeds give other loads, and the same order.
    for seed in 2..5 {
        check(&compare(&Conditions { seed, ..Conditions::default() }), 4.0, 1.25);
    }
}

#[test]
fn less_often_short_than_aws_with_a_reserve() {
    let report = compare(&Conditions { value: 900.0, ..Conditions::default() });
    println!("60 s to boot, 10 % of reserve:\n\n{report}");
    check(&report, 2.0, 1.25);
}

#[test]
fn less_often_short_than_aws_with_slow_and_failing_launches() {
    let fleet = FleetConditions {
        boot: Duration::from_mins(3),
        launch_failures: 0.1,
        quota: 24,
        ..FleetConditions::default()
    };
    let report = compare(&Conditions { fleet, ..Conditions::default() });
    println!("180 s to boot, 10 % of launches fail, quota of 24, no reserve:\n\n{report}");
    check(&report, 1.5, 1.25);
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let conditions = Conditions { days: 1, ..Conditions::default() };
    assert_eq!(compare(&conditions), compare(&conditions));
    assert_ne!(compare(&conditions), compare(&Conditions { seed: 2, ..conditions }));
}
