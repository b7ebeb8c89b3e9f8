//! Compares xelb with other programs that forward packets and connections on such a machine, with
//! the same traffic, on the same core, with the same clock. Packets come from the generator of
//! `xelb bench traffic`, as its library.
//!
//! One wire, two hosts: a veth pair between `client`, which sends and counts, and `balancer`. What a
//! program sends back with `XDP_TX` can only arrive where the packet came from, so every way of
//! forwarding ends there. Generator, balancer and sink share one core, whose work is all counted.

mod balancers;
mod cases;
mod connections;
mod proxies;
mod report;
mod sample;
mod scene;
mod verify;

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use lb_tests::{requirements, sandbox};

use report::Results;

/// How much is measured.
#[derive(Args, Clone, Copy)]
pub(crate) struct Options {
    /// Interleaved repetitions of every case.
    #[arg(long, default_value_t = 5)]
    pub(crate) repetitions: usize,
    /// Seconds of one repetition.
    #[arg(long, default_value_t = 2)]
    pub(crate) seconds: u64,
    /// Only packets, or only connections.
    #[arg(long, value_enum)]
    pub(crate) only: Option<Part>,
}

/// A half of the measurement.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Packets per second.
    Packets,
    /// Connections per second.
    Connections,
}

impl Options {
    fn duration(self) -> Duration {
        Duration::from_secs(self.seconds.max(1))
    }

    fn has(self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// Measures all of it; as JSON it is `report::Results`.
pub(crate) fn results(options: Options) -> Result<Results> {
    requirements::check(&[
        "ip", "ethtool", "tcpdump", "taskset", "nft", "haproxy", "nginx", "wrk",
    ])?;
    let mut results = Results::new(options.repetitions, options.seconds);
    if options.has(Part::Packets) {
        results.packets = sandbox::run(move |sandbox| {
            let scene = scene::Scene::build(sandbox)?;
            cases::measure(&scene, options)
        })
        .context("measuring packets")?;
    }
    if options.has(Part::Connections) {
        results.connections = connections::measure(options).context("measuring connections")?;
    }
    Ok(results)
}
