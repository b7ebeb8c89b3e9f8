//! Prints the numbers of docs/ring.md. It judges nothing: `tests` does.
//!
//! `cargo test -p lb-userspace --release maglev::measure -- --ignored --nocapture`

use std::time::{Duration, Instant};

use super::{
    Member, build, ring_bits,
    tests::{members, moved, part, ring},
};

const SIZES: [usize; 9] = [2, 3, 5, 10, 20, 40, 100, 200, 1000];

/// Mean and largest, in percent.
fn summary(values: &[f64]) -> String {
    let mean = values.iter().sum::<f64>() / part(values.len(), 1);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} / {:.2}", mean * 100.0, most * 100.0)
}

/// Up to 40 members, evenly spread.
fn samples(members: &[Member]) -> impl Iterator<Item = usize> {
    (0..members.len()).step_by(members.len().div_ceil(40))
}

fn fastest(mut work: impl FnMut()) -> Duration {
    (0..15)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

#[test]
#[ignore = "prints a table for docs/ring.md"]
fn disruption_and_time() {
    println!(
        "| targets | slots | remove one, beyond its share: mean / most % | weight 100 to 50 | weight 100 to 200 | doubling | build |"
    );
    println!("|-|-|-|-|-|-|-|");
    for n in SIZES {
        let all = members(9, &vec![100; n]);
        let bits = ring_bits(n, None);
        let before = build(&all, bits);
        let removed: Vec<f64> = samples(&all)
            .map(|pick| {
                let mut rest = all.clone();
                let gone = rest.remove(pick);
                moved(&before, &build(&rest, bits), gone.id)
            })
            .collect();
        let weighted = |weight: u32| -> Vec<f64> {
            samples(&all)
                .map(|pick| {
                    let mut other = all.clone();
                    other[pick].weight = weight;
                    moved(&before, &build(&other, bits), other[pick].id)
                })
                .collect()
        };
        let doubled: Vec<u16> = before.iter().flat_map(|owner| [*owner, *owner]).collect();
        let grown = moved(&doubled, &build(&all, bits + 1), 0);
        println!(
            "| {n} | {} | {} | {} | {} | {:.2} | {:.3} ms |",
            before.len(),
            summary(&removed),
            summary(&weighted(50)),
            summary(&weighted(200)),
            grown * 100.0,
            fastest(|| {
                std::hint::black_box(build(&all, bits));
            })
            .as_secs_f64()
                * 1e3
        );
    }
}

#[test]
#[ignore = "prints a table for docs/ring.md"]
fn shares() {
    println!(
        "| targets | weights | largest difference from the share: slots | % (shares of 50 slots and more) | build |"
    );
    println!("|-|-|-|-|-|");
    for n in SIZES {
        let steps: Vec<u32> = (0_u32..).map(|i| i * 617 % 1000 + 1).take(n).collect();
        let mut one = vec![1; n];
        one[0] = 1000;
        for (name, weights) in
            [("equal", vec![1; n]), ("1 to 1000", steps), ("one of 1000, rest 1", one)]
        {
            let members = members(9, &weights);
            let owners = ring(&members);
            let total: u32 = weights.iter().sum();
            let mut slots = vec![0_usize; n + 1];
            for owner in &owners {
                slots[usize::from(*owner)] += 1;
            }
            let (mut off_slots, mut off_share) = (0.0_f64, 0.0_f64);
            for member in &members {
                let share = f64::from(member.weight) / f64::from(total) * part(owners.len(), 1);
                let off = (part(slots[usize::from(member.id)], 1) - share).abs();
                off_slots = off_slots.max(off);
                if share >= 50.0 {
                    off_share = off_share.max(off / share);
                }
            }
            let bits = ring_bits(n, None);
            println!(
                "| {n} | {name} | {off_slots:.2} | {:.2} | {:.3} ms |",
                off_share * 100.0,
                fastest(|| {
                    std::hint::black_box(build(&members, bits));
                })
                .as_secs_f64()
                    * 1e3
            );
        }
    }
}

#[test]
#[ignore = "prints a table for docs/ring.md"]
fn extremes() {
    println!(
        "| targets | change | mean % | 99th percentile % | most % (of 200 networks, one target each) |"
    );
    println!("|-|-|-|-|-|");
    for range in [2..=5_usize, 6..=20, 21..=60, 61..=200] {
        let mut values: [Vec<f64>; 4] = Default::default();
        for network in 0..200_u8 {
            let n = range.start() + usize::from(network) * 7 % (range.end() - range.start() + 1);
            let all = members(network, &vec![100; n]);
            let pick = usize::from(network) * 31 % n;
            let bits = ring_bits(n, None);
            let before = build(&all, bits);
            let mut rest = all.clone();
            let gone = rest.remove(pick).id;
            values[0].push(moved(&before, &build(&rest, bits), gone));
            for (place, weight) in [(1, 1), (2, 1000)] {
                let mut other = all.clone();
                other[pick].weight = weight;
                values[place].push(moved(&before, &build(&other, bits), gone));
            }
            let doubled: Vec<u16> = before.iter().flat_map(|owner| [*owner, *owner]).collect();
            values[3].push(moved(&doubled, &build(&all, bits + 1), 0));
        }
        let changes = ["remove or add", "weight 100 to 1", "weight 100 to 1000", "doubling"];
        for (change, mut values) in changes.into_iter().zip(values) {
            values.sort_by(f64::total_cmp);
            let mean = values.iter().sum::<f64>() / part(values.len(), 1);
            println!(
                "| {} to {} | {change} | {:.2} | {:.2} | {:.2} |",
                range.start(),
                range.end(),
                mean * 100.0,
                values[values.len() * 99 / 100] * 100.0,
                values[values.len() - 1] * 100.0
            );
        }
    }
}
