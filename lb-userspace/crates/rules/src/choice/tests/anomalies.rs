//! Which targets are ejected, for how long, and when they return.

use super::seconds;
use crate::choice::{AnomalySettings, Detector, Ejection, Outcome};

fn detector() -> Detector {
    Detector::new(AnomalySettings::default())
}

/// The target fails so often; whether the last failure ejects it.
fn fail(detector: &mut Detector, target: usize, times: u32, targets: usize, now: u64) -> bool {
    let in_service = vec![true; targets];
    let mut ejected = false;
    for _ in 0..times {
        let found = detector.record(target, Outcome::ServerError, &in_service, seconds(now));
        ejected = found == Some(Ejection::ConsecutiveFailures);
    }
    ejected
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_does_not() {
    let mut subject = detector();
    let in_service = [true, true];
    assert!(!fail(&mut subject, 0, 4, 2, 0));
    subject.record(0, Outcome::Success, &in_service, seconds(0));
    assert!(!fail(&mut subject, 0, 4, 2, 0));
    subject.record(0, Outcome::Cancelled, &in_service, seconds(0));
    let found = subject.record(0, Outcome::ConnectFailure, &in_service, seconds(0));
    assert_eq!(found, Some(Ejection::ConsecutiveFailures));
    assert!(subject.is_ejected(0, seconds(0)));
    assert!(!subject.is_ejected(1, seconds(0)));
}

#[test]
fn an_ejected_target_returns_and_stays_away_longer_the_next_time() {
    let mut subject = detector();
    for (start, length) in [(0, 30), (100, 60), (200, 90)] {
        assert!(fail(&mut subject, 0, 5, 2, start));
        assert!(subject.is_ejected(0, seconds(start + length - 1)), "{start}");
        assert!(!subject.is_ejected(0, seconds(start + length)), "{start}");
    }
    for start in (1000..9000).step_by(400) {
        fail(&mut subject, 0, 5, 2, start);
    }
    assert!(!subject.is_ejected(0, seconds(8600 + 300)));
    assert!(subject.is_ejected(0, seconds(8600 + 299)));
}

#[test]
fn good_intervals_shorten_the_next_ejection() {
    let mut subject = detector();
    assert!(fail(&mut subject, 0, 5, 2, 0));
    subject.compare(&[true, true], seconds(0));
    subject.compare(&[true, true], seconds(40));
    assert!(fail(&mut subject, 0, 5, 2, 100));
    assert!(!subject.is_ejected(0, seconds(130)));
}

#[test]
fn at_most_half_are_ejected() {
    for (targets, expected) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)] {
        let mut subject = detector();
        let ejected = (0..targets).filter(|t| fail(&mut subject, *t, 5, targets, 0)).count();
        assert_eq!(ejected, expected, "of {targets}");
    }
}

/// Each target has so many requests and successes in an interval; the targets that are ejected.
fn rates(counts: &[(u32, u32)]) -> Vec<usize> {
    let mut subject =
        Detector::new(AnomalySettings { consecutive_failures: 1000, ..Default::default() });
    let in_service = vec![true; counts.len()];
    assert!(subject.compare(&in_service, seconds(0)).is_empty());
    for (target, (requests, successes)) in counts.iter().enumerate() {
        for number in 0..*requests {
            let outcome = if number < *successes { Outcome::Success } else { Outcome::ServerError };
            subject.record(target, outcome, &in_service, seconds(1));
        }
    }
    assert!(subject.compare(&in_service, seconds(9)).is_empty(), "too early");
    let found = subject.compare(&in_service, seconds(10));
    assert!(found.iter().all(|target| subject.is_ejected(*target, seconds(11))));
    assert!(subject.compare(&in_service, seconds(20)).is_empty(), "counts begin anew");
    found
}

#[test]
fn a_success_rate_far_below_the_others_ejects() {
    const GOOD: (u32, u32) = (200, 198);
    /// Requests and successes; the targets that are ejected.
    type Case = (&'static [(u32, u32)], &'static [usize]);
    let cases: &[Case] = &[
        (&[GOOD, GOOD, GOOD, GOOD, (200, 100)], &[4]),
        (&[GOOD, GOOD, GOOD, GOOD, (99, 0)], &[]),
        (&[GOOD, GOOD, GOOD, (200, 100)], &[]),
        (&[GOOD, GOOD, GOOD, GOOD, (200, 194)], &[]),
        (&[(200, 100), (200, 100), (200, 100), (200, 100), (200, 100)], &[]),
        (&[GOOD, (200, 20), GOOD, GOOD, GOOD, GOOD, (200, 0), GOOD, GOOD, GOOD], &[6, 1]),
    ];
    for (counts, expected) in cases {
        assert_eq!(rates(counts), *expected, "{counts:?}");
    }
}

#[test]
fn ejections_end_when_too_few_others_are_in_service() {
    let mut subject = detector();
    for target in 0..2 {
        assert!(fail(&mut subject, target, 5, 4, 10 * target as u64));
    }
    subject.keep_half(&[true; 4], seconds(11));
    assert!(subject.is_ejected(0, seconds(11)) && subject.is_ejected(1, seconds(11)));
    subject.keep_half(&[true, true, true, false], seconds(11));
    assert!(!subject.is_ejected(0, seconds(11)), "it would return first anyway");
    assert!(subject.is_ejected(1, seconds(11)));
}

#[test]
fn records_follow_targets_to_other_places() {
    let mut subject = detector();
    fail(&mut subject, 1, 5, 2, 0);
    subject.move_targets(&[Some(1), None, Some(0)]);
    let ejected: Vec<_> = (0..3).filter(|target| subject.is_ejected(*target, seconds(1))).collect();
    assert_eq!(ejected, [0]);
}
