//! Nanoseconds a packet of the balancer's program, by a generator that restores the frame and picks
//! the next flow (see `lb-ebpf/src/generate_main.rs`); its own cost, measured with a program that
//! only returns `XDP_TX`, is subtracted.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp},
};
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};
use lb_common::{
    abi::program::Instance,
    target::{Mode, TargetState},
};
use lb_tests::sandbox;
use lb_userspace::{
    config::{
        Config, Gue, HealthCheck, HealthProtocol, Icmp, Life, Listener, Ports, Protocol, Target,
        TargetGroup, TargetKey, Tunnel, UdpFlows, Via,
    },
    dataplane::{GENERATOR_OBJECT, KernelStore, MapStore as _, load_balancer, open_balancer},
    health::Health,
    next_hop::{NextHop, NextHopState},
    plan::{self, Inputs, RingCache, Tables},
};

use crate::memory;

/// Targets of the group.
const TARGETS: u16 = 1000;

/// Length of a frame in bytes: room for IPv6 and TCP headers.
const FRAME_LENGTH: usize = 80;

/// Key of the flow hash.
pub(super) const SEED: [u64; 2] = [1, 2];

/// Index of the loopback interface: TEST_RUN says that packets came in by it.
const LOOPBACK: u32 = 1;

/// What `XDP_TX` is (linux/bpf.h).
const XDP_TX: u32 = 3;

/// Numbers of flows; the last is "every packet a new flow".
const FLOWS: [(&str, u32, bool); 6] = [
    ("1 flow", 1, false),
    ("1k", 1 << 10, false),
    ("64k", 1 << 16, false),
    ("1M", 1 << 20, false),
    ("16M", 1 << 24, false),
    ("all new", 1 << 24, true),
];

#[derive(Clone, Copy)]
pub(super) struct Case {
    name: &'static str,
    mode: Mode,
    pub(super) packets_v6: bool,
    targets_v6: bool,
    pub(super) memory: Memory,
}

/// What is remembered of flows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// No slot is armed: nothing.
    Steady,
    /// All slots are armed, and nothing is remembered: flows go home.
    Home,
    /// All slots are armed, and each flow is remembered.
    Remembered,
    /// All slots are armed, and each packet is a SYN of a flow that is not remembered.
    Opening,
    /// UDP whose flows are all remembered.
    Tracked,
}

pub(super) const STEADY: Case = Case {
    name: "ipip 4-in-4",
    mode: Mode::Ipip,
    packets_v6: false,
    targets_v6: false,
    memory: Memory::Steady,
};

const CASES: [Case; 10] = [
    STEADY,
    Case { name: "ipip 6-in-6", packets_v6: true, targets_v6: true, ..STEADY },
    Case { name: "ipip 4-in-6", targets_v6: true, ..STEADY },
    Case { name: "l2dsr IPv4", mode: Mode::L2dsr, ..STEADY },
    Case { name: "l2dsr IPv6", mode: Mode::L2dsr, packets_v6: true, targets_v6: true, ..STEADY },
    Case { name: "gue 4-in-4", mode: Mode::Gue, ..STEADY },
    Case { name: "armed, home", memory: Memory::Home, ..STEADY },
    Case { name: "armed, known", memory: Memory::Remembered, ..STEADY },
    Case { name: "armed, SYN", memory: Memory::Opening, ..STEADY },
    Case { name: "udp tracked", memory: Memory::Tracked, ..STEADY },
];

impl Case {
    /// Whether it can be measured with so many flows: no more are remembered than fit.
    fn has(self, flows: u32, all_new: bool) -> bool {
        match self.memory {
            Memory::Steady | Memory::Home => true,
            Memory::Remembered | Memory::Tracked => flows <= memory::FLOWS && !all_new,
            Memory::Opening => all_new,
        }
    }
}

/// Measures and prints everything.
pub(crate) fn run(repetitions: usize, packets: u32) -> Result<()> {
    sandbox::run(move |_sandbox| measure(repetitions, packets).map_err(Failure)).map_err(|f| f.0)
}

/// An error that the sandbox's own errors turn into.
struct Failure(anyhow::Error);

impl From<lb_tests::Error> for Failure {
    fn from(error: lb_tests::Error) -> Self {
        Self(error.into())
    }
}

fn measure(repetitions: usize, packets: u32) -> Result<()> {
    println!("ns a packet in TEST_RUN, net of the generator; {TARGETS} targets, TCP, frames of");
    println!("{FRAME_LENGTH} bytes; median (lowest to highest) of {repetitions} interleaved");
    println!("repetitions of {packets} packets; kernel {}", kernel());
    print!("{:<12}", "");
    for (name, ..) in FLOWS {
        print!(" {name:>16}");
    }
    println!();
    for case in &CASES {
        let folder = Path::new(sandbox::BPFFS).join("bench");
        std::fs::create_dir(&folder).context("making the folder of the pins")?;
        let row = measure_case(case, &folder, repetitions, packets);
        std::fs::remove_dir_all(&folder).context("removing the pins")?;
        print!("{:<12}", case.name);
        for samples in row? {
            if samples.is_empty() {
                print!(" {:>16}", "-");
                continue;
            }
            let (low, high) = (samples.first().copied(), samples.last().copied());
            let median = samples.get(samples.len() / 2).copied().unwrap_or_default();
            let spread = format!("({} to {})", low.unwrap_or_default(), high.unwrap_or_default());
            print!(" {median:>5} {spread:>10}");
        }
        println!();
    }
    memory::print_lru(repetitions, packets)
}

/// Sorted samples of every number of flows, in ns a packet.
fn measure_case(
    case: &Case,
    folder: &Path,
    repetitions: usize,
    packets: u32,
) -> Result<Vec<Vec<i64>>> {
    let mut balancer = with_maps(case, folder)?;
    let balance = load_balancer(&mut balancer, Instance::Live)?.fd()?.try_clone()?;
    memory::prepare(case, folder)?;
    let mut generators: Vec<Option<Generator>> = FLOWS
        .iter()
        .map(|(_, flows, all_new)| {
            let wanted = case.has(*flows, *all_new);
            wanted.then(|| Generator::load(case, *flows, *all_new, 1)).transpose()
        })
        .collect::<Result<_>>()?;
    let mut samples = vec![Vec::new(); FLOWS.len()];
    for _ in 0..repetitions {
        for (generator, samples) in generators.iter_mut().zip(&mut samples) {
            let Some(generator) = generator else { continue };
            let reflect = generator.reflect.try_clone()?;
            let own = generator.run(&reflect, packets)?;
            let whole = generator.run(&balance, packets)?;
            samples.push(nanoseconds(whole) - nanoseconds(own));
        }
    }
    for samples in &mut samples {
        samples.sort_unstable();
    }
    Ok(samples)
}

pub(super) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a ProgramFd> {
    let program: &mut Xdp =
        ebpf.program_mut(name).with_context(|| format!("no program {name}"))?.try_into()?;
    program.load().with_context(|| format!("loading {name}"))?;
    Ok(program.fd()?)
}

fn with_maps(case: &Case, folder: &Path) -> Result<Ebpf> {
    let ebpf = open_balancer(folder, SEED, Instance::Live)?;
    let mut store = KernelStore::open(folder)?;
    let wanted = tables(case)?;
    for operation in plan::diff(&Tables::default(), &wanted) {
        store.apply(&operation)?;
    }
    Ok(ebpf)
}

pub(super) struct Generator {
    pub(super) ebpf: Ebpf,
    generate: String,
    pub(super) reflect: ProgramFd,
    frame: Vec<u8>,
}

impl Generator {
    pub(super) fn load(case: &Case, flows: u32, all_new: bool, lru: u32) -> Result<Self> {
        let frame = frame(case)?;
        // Where the last four bytes of the source address are.
        let offset: u32 = if case.packets_v6 { 14 + 20 } else { 14 + 12 };
        let length = u32::try_from(frame.len())?;
        let mask = flows - 1;
        let mut ebpf = EbpfLoader::new()
            .override_global("FRAME_LENGTH", &length, true)
            .override_global("FLOW_MASK", &mask, true)
            .override_global("ADDRESS_OFFSET", &offset, true)
            .map_max_entries("LRU", lru)
            .override_global("EVERY_PACKET_NEW", &u32::from(all_new), true)
            .load(GENERATOR_OBJECT)?;
        let bytes: [u8; FRAME_LENGTH] = frame
            .as_slice()
            .try_into()
            .with_context(|| format!("the frame is not {FRAME_LENGTH} bytes"))?;
        let template: [u64; FRAME_LENGTH / 8] = bytemuck::cast(bytes);
        let map = ebpf.map_mut("TEMPLATE").context("no map TEMPLATE")?;
        let mut templates: Array<_, [u64; FRAME_LENGTH / 8]> = Array::try_from(map)?;
        templates.set(0, template, 0)?;
        let reflect = xdp(&mut ebpf, "xelb_reflect")?.try_clone()?;
        xdp(&mut ebpf, "xelb_generate")?;
        Ok(Self { ebpf, generate: "xelb_generate".to_owned(), reflect, frame })
    }

    /// Time a packet with this program under test, the generator's own included.
    pub(super) fn run(&mut self, under_test: &ProgramFd, packets: u32) -> Result<Duration> {
        let map = self.ebpf.map_mut("UNDER_TEST").context("no map UNDER_TEST")?;
        ProgramArray::try_from(map)?.set(0, under_test, 0)?;
        let program: &mut Xdp =
            self.ebpf.program_mut(&self.generate).context("no generator")?.try_into()?;
        let result = program.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            repeat: packets,
            ..TestRunOptions::default()
        })?;
        ensure!(
            result.return_value == XDP_TX,
            "the program under test returned {} instead of XDP_TX",
            result.return_value
        );
        Ok(result.duration)
    }
}

/// A packet to the VIP, padded.
fn frame(case: &Case) -> Result<Vec<u8>> {
    let v6 = case.packets_v6;
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let (vip, client) = if v6 {
        (VIP_V6.octets(), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).octets())
    } else {
        ([0; 16], [0; 16])
    };
    let ip =
        if v6 { link.ipv6(client, vip, 64) } else { link.ipv4([10, 0, 0, 0], VIP_V4.octets(), 64) };
    let mut frame = Vec::new();
    let tcp = |ip: PacketBuilderStep<IpHeaders>| ip.tcp(CLIENT_PORT, 80, 1, 65_000);
    match case.memory {
        Memory::Tracked => ip.udp(CLIENT_PORT, 80).write(&mut frame, &[])?,
        Memory::Opening => tcp(ip).syn().write(&mut frame, &[])?,
        _ => tcp(ip).ack(1).write(&mut frame, &[])?,
    }
    frame.resize(FRAME_LENGTH, 0);
    Ok(frame)
}

/// Port of every client.
pub(super) const CLIENT_PORT: u16 = 40_000;

pub(super) const VIP_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const VIP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);

/// The maps of one group of healthy targets.
fn tables(case: &Case) -> Result<Arc<Tables>> {
    let addresses: Vec<IpAddr> = (0..TARGETS)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            if case.targets_v6 {
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, number).into()
            } else {
                Ipv4Addr::new(10, 200, high, low).into()
            }
        })
        .collect();
    let hop = NextHopState::Resolved(NextHop {
        interface: LOOPBACK,
        vlan: 0,
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 3],
        mtu: 1600,
        on_link: true,
    });
    let healthy = Health { state: TargetState::Healthy, reason: None, detail: String::new() };
    let key = |address: &IpAddr| TargetKey { group: "web".into(), address: *address, port: 80 };
    let plan = plan::compile(&Inputs {
        now: 1,
        quiet: &BTreeSet::new(),
        attached: &BTreeSet::new(),
        config: &config(case, &addresses)?,
        health: &addresses.iter().map(|address| (key(address), healthy.clone())).collect(),
        drained: &BTreeSet::new(),
        cut: &BTreeSet::new(),
        next_hops: &addresses
            .iter()
            .map(|address| (*address, hop.clone()))
            .collect::<BTreeMap<_, _>>(),
        previous: &Tables::default(),
        cache: &RingCache::default(),
    })?;
    Ok(plan.tables)
}

fn config(case: &Case, addresses: &[IpAddr]) -> Result<Config> {
    let targets =
        addresses.iter().map(|address| Target { address: *address, port: 80, weight: 100 });
    let health_check = HealthCheck {
        protocol: HealthProtocol::Tcp,
        port: None,
        via: Via::Address,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        healthy_threshold: 3,
        unhealthy_threshold: 2,
    };
    let vip: IpAddr = if case.packets_v6 { VIP_V6.into() } else { VIP_V4.into() };
    Ok(Config {
        interfaces: vec!["lo".to_owned()],
        tunnel: Tunnel { source_ipv4: "172.16.0.0/16".parse()?, source_ipv6: "100::/64".parse()? },
        source_nat: None,
        icmp: Icmp::default(),
        hash_seed: None,
        target_groups: vec![TargetGroup {
            name: "web".into(),
            protocol: protocol(case),
            port: 80,
            forwarding: case.mode,
            targets: targets.collect(),
            health_check,
            life: Life::default(),
            gue: Gue::default(),
            tcp_mss: None,
        }],
        listeners: vec![Listener {
            name: "web".to_owned(),
            address: vip.into(),
            ports: Ports::one(80),
            protocol: protocol(case),
            idle_timeout: protocol(case).idle_timeout(),
            udp_flows: UdpFlows::default(),
            target_group: "web".to_owned(),
        }],
    })
}

fn protocol(case: &Case) -> Protocol {
    if case.memory == Memory::Tracked { Protocol::Udp } else { Protocol::Tcp }
}

fn kernel() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}
