//! Runs the program over live frames, on one thread for each CPU. When packets are due says `pace`.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, PerCpuArray, PerCpuValues},
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, links::FdLink},
};
use lb_dataplane::{Facts, TRAFFIC_OBJECT, XdpMode, attach};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::signal::SigSet,
    unistd::Pid,
};

use super::{
    EgressPath, Plan, Sent, TrafficError, Transport,
    frame::{HEADERS, Template},
    object::{self, load_program, xdp},
    pace::{Pace, Step},
};

/// Frames that the kernel hands to the interface at once.
const BATCH: u32 = 64;

/// A CPU's part of the map PROGRESS: next flow, packets, bytes, place in the mix.
type Progress = [u64; 4];

/// Sends what the plan says, until `stop`. With `hold`, the interface has a program that passes
/// everything meanwhile. It takes as long as it takes: call it where waiting is allowed.
pub fn generate(
    plan: &Plan,
    path: &EgressPath,
    interface: &str,
    hold: bool,
    stop: &AtomicBool,
) -> Result<Sent, TrafficError> {
    Facts::read()?.check()?;
    let mut generator = Generator::load(plan, path)?;
    let _held = if hold { Some(generator.hold(interface)?) } else { None };
    let started = Instant::now();
    generator.run(plan, stop)?;
    generator.sent(started.elapsed())
}

/// CPUs that this process may use.
pub(super) fn cpus() -> Result<Vec<usize>, TrafficError> {
    let failed = |error: nix::Error| TrafficError::system("get the allowed CPUs")(error.into());
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(failed)?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

impl Plan {
    /// How many CPUs may be used.
    pub fn cpus() -> Result<usize, TrafficError> {
        Ok(cpus()?.len())
    }
}

struct Generator {
    ebpf: Ebpf,
    progress: PerCpuArray<MapData, Progress>,
    frame: Vec<u8>,
    cpus: Vec<usize>,
}

impl Generator {
    fn load(plan: &Plan, path: &EgressPath) -> Result<Self, TrafficError> {
        let template = Template::new(plan, path);
        let lengths = plan.lengths();
        let length = lengths.iter().copied().max().unwrap_or_default();
        let step = plan.threads as u64 % plan.flows;
        let skipped = plan.sources.skipped.unwrap_or(u32::MAX);
        let is_udp = u32::from(plan.transport == Transport::Udp);
        let mut ebpf = EbpfLoader::new()
            .override_global("INTERFACE", &path.interface, true)
            .override_global("IS_V6", &u32::from(plan.to.is_ipv6()), true)
            .override_global("IS_UDP", &is_udp, true)
            .override_global("FLOWS", &plan.flows, true)
            .override_global("STEP", &step, true)
            .override_global("ADDRESSES", &plan.sources.count, true)
            .override_global("ADDRESS_FIRST", &template.address_first, true)
            .override_global("ADDRESS_SKIPPED", &skipped, true)
            .override_global("FRAME_LENGTH", &length, true)
            .override_global("SIZES", &lengths, true)
            .override_global("SUM_IP", &template.sum_ip, true)
            .override_global("SUM_TRANSPORT", &template.sum_transport, true)
            // The sink's map, which is not used here.
            .map_max_entries("FLOWS_SEEN", 1)
            .load(TRAFFIC_OBJECT)
            .map_err(TrafficError::bpf("load the generator"))?;
        load_program(&mut ebpf, "xelb_send")?;
        let headers: [u64; HEADERS / 8] = bytemuck::cast(template.bytes);
        let mut map: Array<MapData, [u64; HEADERS / 8]> = object::take(&mut ebpf, "HEADERS")?;
        map.set(0, headers, 0).map_err(TrafficError::bpf("write the headers"))?;
        let cpus: Vec<usize> = cpus()?.into_iter().take(plan.threads).collect();
        let mut progress = object::take(&mut ebpf, "PROGRESS")?;
        spread_flows(&mut progress, &cpus, plan.flows)?;
        let mut frame = vec![0; length as usize];
        let head = frame.len().min(HEADERS);
        frame[..head].copy_from_slice(&template.bytes[..head]);
        Ok(Self { ebpf, progress, frame, cpus })
    }

    /// Attaches a program that passes everything.
    fn hold(&mut self, interface: &str) -> Result<FdLink, TrafficError> {
        let program = load_program(&mut self.ebpf, "xelb_pass")?;
        Ok(attach(program, interface, XdpMode::Native)?.1)
    }

    fn run(&mut self, plan: &Plan, stop: &AtomicBool) -> Result<(), TrafficError> {
        let whole = Pace { rate: plan.rate, count: plan.count, duration: plan.duration };
        let (frame, threads) = (&self.frame, self.cpus.len() as u64);
        let program: &Xdp = xdp(&mut self.ebpf, "xelb_send")?;
        thread::scope(|scope| {
            let workers: Vec<_> = (0_u64..)
                .zip(&self.cpus)
                .map(|(number, cpu)| {
                    let pace = whole.share(number, threads);
                    scope.spawn(move || send_on(*cpu, program, frame, pace, stop))
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().map_err(|_| TrafficError::Thread)?)
        })
    }

    fn sent(&self, elapsed: Duration) -> Result<Sent, TrafficError> {
        let values = self.progress.get(&0, 0).map_err(TrafficError::bpf("read what was sent"))?;
        let (packets, bytes) =
            values.iter().fold((0, 0), |(packets, bytes), [_, more, longer, _]| {
                (packets + more, bytes + longer)
            });
        Ok(Sent::new(packets, bytes, elapsed))
    }
}

/// Gives each CPU's thread its first flow.
fn spread_flows(
    progress: &mut PerCpuArray<MapData, Progress>,
    cpus: &[usize],
    flows: u64,
) -> Result<(), TrafficError> {
    let failed = |(_, error): (&str, io::Error)| TrafficError::system("count the CPUs")(error);
    let mut values = vec![Progress::default(); aya::util::nr_cpus().map_err(failed)?];
    for (number, cpu) in (0_u64..).zip(cpus) {
        if let Some(value) = values.get_mut(*cpu) {
            *value = [number % flows, 0, 0, 0];
        }
    }
    let values =
        PerCpuValues::try_from(values).map_err(TrafficError::system("spread the flows"))?;
    progress.set(0, values, 0).map_err(TrafficError::bpf("spread the flows"))
}

/// Sends a thread's part, on one CPU.
fn send_on(
    cpu: usize,
    program: &Xdp,
    frame: &[u8],
    pace: Pace,
    stop: &AtomicBool,
) -> Result<(), TrafficError> {
    let failed = |error: nix::Error| TrafficError::system("bind a thread to its CPU")(error.into());
    // A signal would end a request to the kernel early; others of this process hear it.
    SigSet::all().thread_block().map_err(failed)?;
    let mut only = CpuSet::new();
    only.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only)).map_err(failed)?;
    let started = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        match pace.next(started.elapsed(), sent) {
            Step::End => break,
            Step::Wait(pause) => thread::sleep(pause),
            Step::Send(packets) => {
                program
                    .test_run(TestRunOptions {
                        data_in: Some(frame),
                        repeat: packets,
                        attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
                        ..TestRunOptions::default()
                    })
                    .map_err(TrafficError::bpf("send live frames (Linux 5.18)"))?;
                sent += u64::from(packets);
            }
        }
    }
    Ok(())
}
