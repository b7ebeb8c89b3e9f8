//! Target groups: health, limits, slow start, fail open.

use super::{Random, address, group, place, seconds};
use crate::choice::{
    Algorithm, AnomalySettings, Choice, Health, Outcome, Settings, TargetGroup, release,
};

/// How many of `requests` each target gets, when every request ends at once.
fn shares(group: &mut TargetGroup, requests: u32, now: u64) -> Vec<u32> {
    let mut random = Random(7);
    let mut counts = vec![0; 4];
    for _ in 0..requests {
        if let Some(place) = place(group.choose(seconds(now), random.next())) {
            counts[place] += 1;
        }
    }
    counts
}

#[test]
fn shares_follow_the_weights_whatever_the_algorithm() {
    let mut even = group(Settings::default(), &[3, 1, 0, 4]);
    assert_eq!(shares(&mut even, 800, 1), [300, 100, 0, 400]);
    let random = Settings { algorithm: Algorithm::WeightedRandom, ..Settings::default() };
    let counts = shares(&mut group(random, &[3, 1, 0, 4]), 8000, 1);
    assert!(counts[0].abs_diff(3000) < 300 && counts[1].abs_diff(1000) < 200, "{counts:?}");
    assert_eq!(counts[2], 0);
    for algorithm in [Algorithm::LeastOutstanding, Algorithm::LeastOutstandingOfTwo] {
        let settings = Settings { algorithm, ..Settings::default() };
        let mut subject = group(settings, &[3, 1, 0, 4]);
        let mut random = Random(8);
        for _ in 0..800 {
            let place = place(subject.choose(seconds(1), random.next())).unwrap();
            subject.started(place);
        }
        let outstanding: Vec<_> = (0..4).map(|place| subject.outstanding(place)).collect();
        for (count, expected) in outstanding.iter().zip([300_u32, 100, 0, 400]) {
            assert!(count.abs_diff(expected) <= 5, "{algorithm:?} {outstanding:?}");
        }
    }
}

#[test]
fn only_healthy_targets_serve_until_too_few_are() {
    let mut subject = group(Settings { healthy_min: 2, ..Settings::default() }, &[1, 1, 1, 1]);
    subject.set_health(0, Health::Unhealthy, seconds(1));
    assert_eq!(shares(&mut subject, 30, 1), [0, 10, 10, 10]);
    subject.set_health(1, Health::Draining, seconds(1));
    assert_eq!(shares(&mut subject, 30, 1), [0, 0, 15, 15]);
    assert!(!subject.is_available(0, seconds(1)));
    subject.set_health(2, Health::Unhealthy, seconds(1));
    assert_eq!(shares(&mut subject, 30, 1), [10, 0, 10, 10]);
    assert!(matches!(subject.choose(seconds(1), 0), Choice::Target { fail_open: true, .. }));
    assert!(subject.is_available(0, seconds(1)) && !subject.is_available(1, seconds(1)));
    for place in 0..4 {
        subject.set_health(place, Health::Draining, seconds(1));
    }
    assert_eq!(subject.choose(seconds(1), 0), Choice::NoTarget);
    assert_eq!(TargetGroup::new(Settings::default()).choose(seconds(1), 0), Choice::NoTarget);
    assert_eq!(group(Settings::default(), &[0, 0]).choose(seconds(1), 0), Choice::NoTarget);
}

#[test]
fn a_full_group_says_so_and_serves_again_when_a_request_ends() {
    let mut subject = group(Settings { connections_max: 2, ..Settings::default() }, &[1, 1]);
    for _ in 0..4 {
        let place = place(subject.choose(seconds(1), 0)).unwrap();
        subject.started(place);
    }
    assert_eq!(subject.choose(seconds(1), 0), Choice::Full);
    assert!(!subject.is_available(1, seconds(1)));
    subject.finished(1, Outcome::Success, seconds(1));
    assert_eq!(place(subject.choose(seconds(1), 0)), Some(1));
    assert!(subject.is_available(1, seconds(1)));
}

#[test]
fn a_new_target_starts_slowly_beside_old_ones() {
    let settings = Settings { slow_start: seconds(100), ..Settings::default() };
    let mut subject = group(settings, &[1, 1]);
    let targets: Vec<_> = (0..3).map(|number| (address(number), 1)).collect();
    subject.set_targets(&targets, seconds(10));
    subject.set_health(2, Health::Healthy, seconds(10));
    assert_eq!(shares(&mut subject, 2001, 10), [1000, 1000, 1, 0]);
    assert_eq!(shares(&mut subject, 2500, 60)[2], 500);
    assert_eq!(shares(&mut subject, 3000, 110), [1000, 1000, 1000, 0]);
}

#[test]
fn the_first_targets_of_a_group_do_not_start_slowly() {
    let settings = Settings { slow_start: seconds(100), ..Settings::default() };
    let mut subject = TargetGroup::new(settings);
    subject.set_targets(&[(address(0), 1), (address(1), 1)], seconds(0));
    subject.set_health(0, Health::Healthy, seconds(0));
    assert_eq!(shares(&mut subject, 10, 0), [10, 0, 0, 0]);
    subject.set_health(1, Health::Healthy, seconds(50));
    assert_eq!(shares(&mut subject, 3000, 50), [1500, 1500, 0, 0]);
    // One that comes back does.
    subject.set_health(1, Health::Unhealthy, seconds(200));
    subject.set_health(1, Health::Healthy, seconds(300));
    assert_eq!(shares(&mut subject, 3000, 350), [2000, 1000, 0, 0]);
}

#[test]
fn an_ejected_target_gets_requests_only_when_no_other_can_serve() {
    let anomaly_mitigation = Some(AnomalySettings::default());
    let settings = Settings { anomaly_mitigation, connections_max: 6, ..Settings::default() };
    let mut subject = group(settings, &[1, 1]);
    for _ in 0..5 {
        subject.started(0);
        subject.finished(0, Outcome::ConnectFailure, seconds(1));
    }
    assert!(subject.is_ejected(0, seconds(1)) && !subject.is_available(0, seconds(1)));
    assert_eq!(shares(&mut subject, 10, 1), [0, 10, 0, 0]);
    for _ in 0..6 {
        subject.started(1);
    }
    assert_eq!(place(subject.choose(seconds(1), 0)), Some(0));
    assert_eq!(subject.choose(seconds(1), 0), Choice::Target { place: 0, fail_open: false });
}

#[test]
fn targets_that_stay_keep_their_requests_and_health() {
    let mut subject = group(Settings::default(), &[1, 1]);
    subject.started(1);
    subject.set_targets(&[(address(1), 5), (address(9), 1)], seconds(1));
    assert_eq!(subject.place(address(0)), None);
    assert_eq!((subject.outstanding(0), subject.outstanding(1)), (1, 0));
    assert_eq!(subject.address(1), Some(address(9)));
    assert_eq!(shares(&mut subject, 10, 1), [10, 0, 0, 0]);
}

#[test]
fn groups_that_share_a_counter_share_the_limit() {
    let settings = Settings { connections_max: 3, ..Settings::default() };
    let mut workers = [group(settings.clone(), &[1]), group(settings, &[1])];
    let counter = workers[0].counter(0).unwrap();
    workers[1].set_counter(0, std::sync::Arc::clone(&counter));
    assert!(workers[0].started(0) && workers[1].started(0) && workers[0].started(0));
    assert_eq!((workers[0].outstanding(0), workers[1].outstanding(0)), (3, 3));
    assert_eq!(workers[1].choose(seconds(1), 0), Choice::Full);
    // Another worker was faster since the choice.
    assert!(!workers[1].started(0));
    workers[0].finished(0, Outcome::Success, seconds(1));
    assert!(workers[1].started(0));
    // A request of a target that has left is given back all the same.
    workers[0].set_targets(&[], seconds(2));
    release(&counter);
    assert_eq!(workers[1].outstanding(0), 2);
}
