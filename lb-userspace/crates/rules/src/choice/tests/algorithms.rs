//! Shares of the algorithms.

use proptest::{collection::vec, prelude::*};

use super::Random;
use crate::choice::{Load, RoundRobin, exact, two_choices, weighted};

#[test]
fn round_robin_spreads_turns_evenly() {
    let cases: &[(&[u32], &[usize])] = &[
        (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
        (&[1, 1, 1], &[0, 1, 2, 0, 1, 2]),
        (&[2, 0, 1], &[0, 2, 0]),
    ];
    for (weights, expected) in cases {
        let mut rotation = RoundRobin::default();
        let turns: Vec<_> = (0..expected.len()).filter_map(|_| rotation.next(weights)).collect();
        assert_eq!(turns, *expected, "{weights:?}");
    }
    assert_eq!(RoundRobin::default().next(&[]), None);
    assert_eq!(RoundRobin::default().next(&[0, 0]), None);
}

#[test]
fn least_outstanding_counts_by_weight() {
    /// Weights and outstanding requests; the place chosen.
    type Case = (&'static [(u32, u32)], Option<usize>);
    let cases: &[Case] = &[
        (&[], None),
        (&[(0, 0)], None),
        (&[(1, 3), (1, 2), (1, 4)], Some(1)),
        (&[(1, 0), (4, 2)], Some(1)),
        (&[(1, 0), (4, 4)], Some(0)),
        (&[(0, 0), (1, 1000)], Some(1)),
        (&[(u32::MAX, u32::MAX), (1, u32::MAX)], Some(0)),
    ];
    for (loads, expected) in cases {
        let loads: Vec<_> = loads
            .iter()
            .map(|(weight, outstanding)| Load { weight: *weight, outstanding: *outstanding })
            .collect();
        for random in [0, u64::MAX / 3, u64::MAX] {
            assert_eq!(exact(&loads, random), *expected, "{loads:?}");
        }
    }
}

#[test]
fn equal_loads_and_pairs_are_chosen_evenly() {
    let loads = vec![Load { weight: 1, outstanding: 0 }; 8];
    let mut random = Random(1);
    for choose in [exact, two_choices] {
        let mut counts = [0_u32; 8];
        for _ in 0..8000 {
            counts[choose(&loads, random.next()).unwrap()] += 1;
        }
        // Binomial with mean 1000 and standard deviation 30.
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}

#[test]
fn two_choices_avoid_the_loaded_one() {
    let mut loads = vec![Load { weight: 1, outstanding: 0 }; 4];
    loads[2].outstanding = 100;
    let mut random = Random(2);
    for _ in 0..1000 {
        assert_ne!(two_choices(&loads, random.next()), Some(2));
    }
    let alone = [Load { weight: 0, outstanding: 0 }, Load { weight: 1, outstanding: 9 }];
    assert_eq!(two_choices(&alone, random.next()), Some(1));
    assert_eq!(two_choices(&[], 0), None);
}

#[test]
fn two_choices_keep_loads_level() {
    let mut loads = vec![Load { weight: 1, outstanding: 0 }; 100];
    let mut random = Random(3);
    for _ in 0..100_000 {
        let place = two_choices(&loads, random.next()).unwrap();
        loads[place].outstanding += 1;
    }
    let most = loads.iter().map(|load| load.outstanding).max().unwrap();
    // One choice alone would be about 80 above the mean of 1000.
    assert!(most <= 1010, "{most}");
}

proptest! {
    #[test]
    fn round_robin_gives_each_its_weight_in_every_cycle(weights in vec(0_u32..20, 1..12)) {
        let total: u32 = weights.iter().sum();
        let mut rotation = RoundRobin::default();
        for _ in 0..3 {
            let mut turns = vec![0; weights.len()];
            for _ in 0..total {
                turns[rotation.next(&weights).unwrap()] += 1;
            }
            prop_assert_eq!(&turns, &weights);
        }
    }

    #[test]
    fn weighted_random_converges_to_the_weights(
        weights in vec(0_u32..999, 1..12), seed in any::<u64>(),
    ) {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        let mut random = Random(seed);
        let mut counts = vec![0_u32; weights.len()];
        let draws = 20_000_u32;
        for _ in 0..draws {
            counts[weighted(&weights, random.next()).unwrap()] += 1;
        }
        for (count, weight) in counts.iter().zip(&weights) {
            let share = f64::from(*weight) / f64::from(total);
            let deviation = (f64::from(draws) * share * (1.0 - share)).sqrt();
            // 6 standard deviations: one false alarm in 10^9.
            let distance = (f64::from(*count) - f64::from(draws) * share).abs();
            prop_assert!(distance <= 6.0 * deviation + 1.0, "{:?} {:?}", counts, weights);
        }
    }
}
