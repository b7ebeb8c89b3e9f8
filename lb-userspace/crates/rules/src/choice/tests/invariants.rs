//! PROPERTY: what holds after any sequence of events.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{address, group, seconds};
use crate::choice::{Algorithm, AnomalySettings, Choice, Health, Outcome, Settings};

#[derive(Clone, Debug)]
enum Event {
    Request(u64),
    End(usize, Outcome),
    Health(usize, Health),
    Wait(u64),
    Targets(Vec<(usize, u32)>),
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = select(vec![
        Outcome::Success,
        Outcome::ServerError,
        Outcome::ServerError,
        Outcome::ConnectFailure,
        Outcome::Cancelled,
    ]);
    let health =
        select(vec![Health::Healthy, Health::Healthy, Health::Unhealthy, Health::Draining]);
    let targets = vec((0_usize..8, 0_u32..4), 0..8).prop_map(|mut targets| {
        targets.sort_unstable();
        targets.dedup_by_key(|(number, _)| *number);
        Event::Targets(targets)
    });
    prop_oneof![
        20 => any::<u64>().prop_map(Event::Request),
        20 => (0_usize..8, outcome).prop_map(|(place, outcome)| Event::End(place, outcome)),
        3 => (0_usize..8, health).prop_map(|(place, health)| Event::Health(place, health)),
        2 => (1_u64..40).prop_map(Event::Wait),
        1 => targets,
    ]
}

/// What the test itself knows of a target.
#[derive(Clone)]
struct Known {
    number: usize,
    weight: u32,
    health: Health,
    outstanding: u32,
}

const LIMIT: u32 = 3;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_target_is_over_its_limit_and_none_is_wanting_when_one_could_serve(
        events in vec(event(), 0..150),
        algorithm in select(vec![
            Algorithm::RoundRobin,
            Algorithm::LeastOutstanding,
            Algorithm::LeastOutstandingOfTwo,
            Algorithm::WeightedRandom,
        ]),
        healthy_min in 0_usize..4,
        slow_start in select(vec![0_u64, 30]),
    ) {
        let settings = Settings {
            algorithm,
            slow_start: seconds(slow_start),
            anomaly_mitigation: Some(AnomalySettings { consecutive_failures: 2, ..Default::default() }),
            connections_max: LIMIT,
            healthy_min,
        };
        let known = |number, weight, health| Known { number, weight, health, outstanding: 0 };
        let mut subject = group(settings, &[1, 2, 0, 1, 1]);
        let mut targets: Vec<Known> =
            [1, 2, 0, 1, 1].iter().enumerate().map(|(n, w)| known(n, *w, Health::Healthy)).collect();
        let mut now = 0;
        for event in events {
            match event {
                Event::Wait(time) => now += time,
                Event::Health(place, health) => {
                    subject.set_health(place, health, seconds(now));
                    if let Some(target) = targets.get_mut(place) {
                        target.health = health;
                    }
                }
                Event::End(place, outcome) => {
                    let open = targets.get_mut(place).filter(|target| target.outstanding > 0);
                    if let Some(target) = open {
                        target.outstanding -= 1;
                        subject.finished(place, outcome, seconds(now));
                    }
                }
                Event::Targets(new) => {
                    let addresses: Vec<_> = new.iter().map(|(n, w)| (address(*n), *w)).collect();
                    subject.set_targets(&addresses, seconds(now));
                    let old = |(n, weight): &(usize, u32)| {
                        let old = targets.iter().find(|target| target.number == *n).cloned();
                        let new = known(*n, *weight, Health::Unhealthy);
                        Known { weight: *weight, ..old.unwrap_or(new) }
                    };
                    targets = new.iter().map(old).collect();
                }
                Event::Request(random) => {
                    let healthy = targets.iter().filter(|t| t.health == Health::Healthy).count();
                    let open = healthy < healthy_min;
                    let may_serve = |target: &Known| {
                        target.weight > 0
                            && (target.health == Health::Healthy
                                || open && target.health == Health::Unhealthy)
                    };
                    let can_serve = |target: &Known| may_serve(target) && target.outstanding < LIMIT;
                    match subject.choose(seconds(now), random) {
                        Choice::Target { place, fail_open } => {
                            prop_assert!(can_serve(&targets[place]));
                            prop_assert_eq!(fail_open, open);
                            targets[place].outstanding += 1;
                            subject.started(place);
                        }
                        Choice::Full => {
                            prop_assert!(!targets.iter().any(can_serve));
                            prop_assert!(targets.iter().any(may_serve));
                        }
                        Choice::NoTarget => prop_assert!(!targets.iter().any(may_serve)),
                    }
                }
            }
            subject.compare_success_rates(seconds(now));
            let serving = |place: &usize| targets[*place].health == Health::Healthy;
            let healthy: Vec<usize> = (0..targets.len()).filter(serving).collect();
            let ejected = healthy.iter().filter(|place| subject.is_ejected(**place, seconds(now)));
            prop_assert!(2 * ejected.count() <= healthy.len());
            for (place, target) in targets.iter().enumerate() {
                prop_assert_eq!(subject.outstanding(place), target.outstanding);
            }
        }
    }
}
