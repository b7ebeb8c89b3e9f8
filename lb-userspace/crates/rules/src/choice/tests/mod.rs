//! Tests of the choice of targets.

mod algorithms;
mod anomalies;
mod groups;
mod invariants;

use std::{net::SocketAddr, time::Duration};

use super::{Choice, Health, Settings, TargetGroup};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(number: usize) -> SocketAddr {
    let port = u16::try_from(8000 + number).unwrap();
    SocketAddr::from(([10, 0, 1, 1], port))
}

/// A group of healthy targets with these weights, at second 0.
fn group(settings: Settings, weights: &[u32]) -> TargetGroup {
    let mut group = TargetGroup::new(settings);
    let targets: Vec<_> =
        weights.iter().enumerate().map(|(n, weight)| (address(n), *weight)).collect();
    group.set_targets(&targets, seconds(0));
    for place in 0..weights.len() {
        group.set_health(place, Health::Healthy, seconds(0));
    }
    group
}

fn place(choice: Choice) -> Option<usize> {
    match choice {
        Choice::Target { place, .. } => Some(place),
        Choice::Full | Choice::NoTarget => None,
    }
}

/// Even random numbers from a seed: SplitMix64 (Steele et al., 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
