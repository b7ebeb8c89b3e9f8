//! What checking 10,000 targets costs: measurements, not tests; `docs/health-checks.md` has the
//! command and its result.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep},
};

use super::{Scheduler, tests::spec};
use crate::{NetworkProber, Outcome, Probe, ProbeFuture, Prober};

const TARGETS: u16 = 10_000;
const SECONDS: u64 = 10;

struct Noop;

impl Prober for Noop {
    fn probe<'a>(&'a self, _probe: &'a Probe, _deadline: Instant) -> ProbeFuture<'a> {
        Box::pin(async { Outcome::Success })
    }
}

/// The scheduler itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn cost_of_no_probes() {
    measure(Arc::new(Noop), 1).await;
}

/// With TCP probes. The CPU time of the answering kernel, which is the same one, is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn cost_of_tcp_probes() {
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let listener = TcpListener::bind(any).unwrap();
    measure(Arc::<NetworkProber>::default(), listener.local_addr().unwrap().port()).await;
}

/// Checks addresses of 127.1.0.0/16 once a second each.
async fn measure(prober: Arc<dyn Prober>, port: u16) {
    let (sender, _events) = unbounded_channel();
    let mut scheduler = Scheduler::with_prober(sender, prober);
    let wanted: Vec<_> = (0..TARGETS)
        .map(|number| {
            let mut spec = spec(port);
            let [high, low] = number.to_be_bytes();
            spec.target.address = IpAddr::V4(Ipv4Addr::new(127, 1, high, low));
            spec.check.interval = Duration::from_secs(1);
            spec.check.timeout = Duration::from_secs(1);
            spec
        })
        .collect();
    let memory_kib = resident_kib();
    let begin = Instant::now();
    scheduler.set(wanted.clone());
    println!("set: {:?}", begin.elapsed());
    sleep(Duration::from_secs(2)).await;
    println!("memory: {} KiB", resident_kib() - memory_kib);
    let begin = Instant::now();
    scheduler.set(wanted);
    println!("set without a change: {:?}", begin.elapsed());
    let (ticks, before) = (cpu_ticks(), scheduler.stats().snapshot());
    sleep(Duration::from_secs(SECONDS)).await;
    let after = scheduler.stats().snapshot();
    println!(
        "{} probes/s with {} % of a CPU; {after:?}",
        (after.probes_started - before.probes_started) / SECONDS,
        (cpu_ticks() - ticks) / SECONDS,
    );
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1);
    size.unwrap().parse().unwrap()
}

/// User and system time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
