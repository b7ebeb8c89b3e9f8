//! What the scheduler itself costs: a measurement, not a test; `docs/health-checks.md` has the
//! command and its result.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep},
};

use super::{Scheduler, tests::spec};
use crate::health::{Outcome, Probe, ProbeFuture, Prober};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn cost_of_ten_thousand_targets() {
    const SECONDS: u64 = 10;
    let (sender, _events) = unbounded_channel();
    let mut scheduler = Scheduler::with_prober(sender, Arc::new(Noop));
    let wanted: Vec<_> = (1..=10_000)
        .map(|number| {
            let mut spec = spec(number);
            spec.check.interval = Duration::from_secs(1);
            spec
        })
        .collect();
    let memory = resident_kib();
    let begin = Instant::now();
    scheduler.set(wanted.clone());
    println!("set: {:?}", begin.elapsed());
    sleep(Duration::from_secs(2)).await;
    println!("memory: {} KiB", resident_kib() - memory);
    let begin = Instant::now();
    scheduler.set(wanted);
    println!("set without a change: {:?}", begin.elapsed());
    let (cpu, before) = (cpu_ticks(), scheduler.stats().snapshot());
    sleep(Duration::from_secs(SECONDS)).await;
    let after = scheduler.stats().snapshot();
    println!(
        "{} probes/s with {} % of a CPU; {after:?}",
        (after.probes_started - before.probes_started) / SECONDS,
        (cpu_ticks() - cpu) / SECONDS,
    );
}

struct Noop;

impl Prober for Noop {
    fn probe<'a>(&'a self, _probe: &'a Probe, _deadline: Instant) -> ProbeFuture<'a> {
        Box::pin(async { Outcome::Success })
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// User and system time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
