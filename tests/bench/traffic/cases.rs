//! Which balancers are measured with which flows, and the order: every repetition goes through all of them,
//! so that a change of the machine's mood meets all.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    Options,
    balancers::Balancer,
    report::{PacketRow, Spread},
    sample::{self, Load, Sample},
    scene::Scene,
    verify,
};

const ONE_K: Option<u64> = Some(1000);
const ONE_M: Option<u64> = Some(1_000_000);
const FLOOD: Option<u64> = None;

/// What is measured: a balancer, and the flows that it gets one after the other.
const CASES: [(&str, Balancer, &[Option<u64>]); 7] = [
    ("plain XDP_TX", Balancer::Reflector, &[ONE_K, ONE_M]),
    ("constant IPIP header", Balancer::ConstantHeader, &[ONE_K, ONE_M]),
    ("xelb ipip", Balancer::Xelb("ipip"), &[ONE_K, ONE_M, FLOOD]),
    ("xelb gue", Balancer::Xelb("gue"), &[ONE_K, ONE_M]),
    ("xelb l2dsr", Balancer::Xelb("l2dsr"), &[ONE_K, ONE_M]),
    ("kernel forwarding", Balancer::Forwarding, &[ONE_K, ONE_M]),
    // A million flows would not fit its table, whose size is the machine's.
    ("nftables DNAT", Balancer::Nftables, &[ONE_K]),
];

pub(super) fn measure(scene: &Scene, options: Options) -> Result<Vec<PacketRow>> {
    let mut samples: Vec<Vec<Vec<Sample>>> =
        CASES.iter().map(|(_, _, flows)| vec![Vec::new(); flows.len()]).collect();
    for repetition in 0..options.repetitions.max(1) {
        for ((name, balancer, flows), samples) in CASES.iter().zip(&mut samples) {
            let running = balancer.start(scene).with_context(|| (*name).to_owned())?;
            if repetition == 0 {
                verify::verify(*balancer, scene).with_context(|| (*name).to_owned())?;
            }
            for (flows, samples) in flows.iter().zip(samples) {
                let load = Load { flows: *flows, ..full(options.duration()) };
                samples.push(sample::take(scene, load).with_context(|| (*name).to_owned())?);
            }
            drop(running);
        }
    }
    let rows = CASES.iter().zip(&samples).flat_map(|((name, _, flows), samples)| {
        flows.iter().zip(samples).map(move |(flows, samples)| row(name, *flows, samples))
    });
    Ok(rows.collect())
}

fn full(duration: Duration) -> Load {
    Load { flows: None, rate: None, count: None, duration, drop: true }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of packets far below 2^53")]
fn row(name: &str, flows: Option<u64>, samples: &[Sample]) -> PacketRow {
    let of = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
    PacketRow {
        name: name.to_owned(),
        flows: match flows {
            Some(1000) => "1k",
            Some(_) => "1M",
            None => "all new (SYN)",
        }
        .to_owned(),
        mpps: of(|sample| sample.received as f64 / 1e6 / sample.seconds),
        mpps_per_cpu_second: of(|sample| sample.received as f64 / 1e6 / sample.cpu_seconds),
        lost_percent: of(|sample| {
            100.0 * sample.sent.saturating_sub(sample.received) as f64
                / (sample.sent as f64).max(1.0)
        }),
        others_percent: of(|sample| {
            100.0 * (sample.busy_seconds - sample.cpu_seconds).max(0.0) / sample.seconds
        }),
    }
}
