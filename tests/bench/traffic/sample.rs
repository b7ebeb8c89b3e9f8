//! One run of the generator against whatever forwards, and what it cost.

use std::{
    fs,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use lb_bench::traffic::{
    Arrived, EgressPath, Mix, Plan, Request, Sink, SinkOptions, Transport, generate,
};
use lb_dataplane::XdpMode;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

use super::scene::{Core, INTERFACE, SOURCES, Scene, VIP};

/// How long packets may be on their way.
const SETTLE: Duration = Duration::from_millis(50);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Flows; `None` is a flood of SYNs.
    pub(super) flows: Option<u64>,
    /// Packets per second; `None` is as fast as possible.
    pub(super) rate: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) duration: Duration,
    /// Whether what arrives ends in the sink.
    pub(super) drop: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) seconds: f64,
    /// CPU time of the generator, in whose context frames are forwarded and counted, too, and of the
    /// core's ksoftirqd, which takes over when there is too much.
    pub(super) cpu_seconds: f64,
    /// All that the core did, by the kernel's ticks.
    pub(super) busy_seconds: f64,
    pub(super) arrived: Arrived,
}

/// Runs it on the measured core.
pub(super) fn take(scene: &Scene, load: Load) -> Result<Sample> {
    let core = scene.core;
    scene.client.run(move || {
        let mut only = CpuSet::new();
        only.set(core.number)?;
        sched_setaffinity(Pid::from_raw(0), &only)?;
        take_here(load, core)
    })
}

fn take_here(load: Load, core: Core) -> Result<Sample> {
    let to = (VIP, 80).into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let path = runtime.block_on(EgressPath::find(INTERFACE, to, None))?;
    let request = Request {
        to,
        from: Some(SOURCES.parse()?),
        transport: Transport::Tcp,
        flows: load.flows,
        syn_flood: load.flows.is_none(),
        rate: load.rate,
        mix: Mix::Fixed(60),
        duration: load.duration,
        count: load.count,
        threads: 1,
    };
    let plan = Plan::new(&request, &path, 1)?;
    let sink = Sink::start(&SinkOptions {
        interface: INTERFACE.to_owned(),
        mode: XdpMode::Native,
        drop: load.drop,
        gue_port: 6080,
        flows: false,
    })?;
    let never = Arc::new(AtomicBool::new(false));
    let before = Clocks::read(core)?;
    let sent = generate(&plan, &path, INTERFACE, false, &never)?;
    std::thread::sleep(SETTLE);
    let after = Clocks::read(core)?;
    let arrived = sink.arrived()?;
    Ok(Sample {
        sent: sent.packets,
        received: arrived.of(false, "tcp").0,
        seconds: sent.seconds,
        cpu_seconds: after.process - before.process + after.softirq - before.softirq,
        busy_seconds: after.busy - before.busy,
        arrived,
    })
}

/// Seconds of CPU time so far.
struct Clocks {
    process: f64,
    softirq: f64,
    busy: f64,
}

impl Clocks {
    fn read(core: Core) -> Result<Self> {
        let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        Ok(Self {
            process: Duration::from(time).as_secs_f64(),
            softirq: task_seconds(core.softirq_pid)?,
            busy: busy_seconds(core.number)?,
        })
    }
}

/// CPU time of a task: the first number of its schedstat, in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds far below 2^53")]
fn task_seconds(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanoseconds: u64 = text.split(' ').next().context("a number")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

/// User, nice, system, irq and softirq time of a core, from /proc/stat.
#[expect(clippy::cast_precision_loss, reason = "ticks far below 2^53")]
fn busy_seconds(core: usize) -> Result<f64> {
    /// Ticks a second that /proc/stat counts in (USER_HZ), on every architecture that xelb runs on.
    const USER_HZ: f64 = 100.0;
    let text = fs::read_to_string("/proc/stat")?;
    let head = format!("cpu{core} ");
    let line = text.lines().find(|line| line.starts_with(&head)).context("no such core")?;
    let ticks: Vec<u64> = line.split(' ').skip(1).map_while(|word| word.parse().ok()).collect();
    ensure!(ticks.len() > 6, "/proc/stat: {line}");
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|place| ticks.get(*place)).sum();
    Ok(busy as f64 / USER_HZ)
}
