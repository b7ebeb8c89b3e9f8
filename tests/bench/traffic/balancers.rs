//! What forwards the packets: each is set up, and gone when it is dropped.

use std::{fmt::Write as _, fs, net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader,
    programs::{Xdp, xdp::XdpMode},
};
use lb_dataplane::TRAFFIC_OBJECT;
use lb_tests::{
    Process, Xelb,
    agent::{PIN_DIR, SOCKET},
    process::Task,
    wait,
    xdp_pass::XdpPass,
};

use super::scene::{INTERFACE, Scene, TARGETS_FAR, TARGETS_NEAR, VIP, far, near};

const LIMIT: Duration = Duration::from_mins(1);

/// A way to forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Balancer {
    /// A program that only sends back.
    Reflector,
    /// A program that puts the same header in front of all packets.
    ConstantHeader,
    /// xelb in a mode.
    Xelb(&'static str),
    /// The kernel's IP forwarding, which balances nothing.
    Forwarding,
    /// A hash over the source and a map of destinations in nftables, with connection tracking.
    Nftables,
}

/// A balancer at work.
#[expect(dead_code, reason = "held for what their end does")]
pub(super) enum Running<'a> {
    Program(Box<Ebpf>),
    Agent(Agent<'a>),
    Kernel(Settings<'a>),
}

pub(super) struct Agent<'a> {
    scene: &'a Scene,
    xelb: Xelb,
    process: Process,
}

/// Settings of the balancer's kernel that are taken back.
pub(super) struct Settings<'a> {
    scene: &'a Scene,
    nftables: bool,
    _pass: XdpPass,
}

impl Balancer {
    pub(super) fn start(self, scene: &Scene) -> Result<Running<'_>> {
        match self {
            Self::Reflector => program(scene, "xelb_reflect").map(Running::Program),
            Self::ConstantHeader => program(scene, "xelb_constant").map(Running::Program),
            Self::Xelb(mode) => agent(scene, mode).map(Running::Agent),
            Self::Forwarding => kernel(scene, false).map(Running::Kernel),
            Self::Nftables => kernel(scene, true).map(Running::Kernel),
        }
    }
}

/// Attaches a program of the generator's object to the balancer's interface.
fn program(scene: &Scene, name: &'static str) -> Result<Box<Ebpf>> {
    scene.balancer.run(move || {
        let outer = u32::from_ne_bytes(far(0).octets());
        let mut ebpf = EbpfLoader::new()
            .override_global("OUTER_DESTINATION", &outer, true)
            .map_max_entries("FLOWS_SEEN", 1)
            .load(TRAFFIC_OBJECT)?;
        let program: &mut Xdp = ebpf.program_mut(name).context("no such program")?.try_into()?;
        program.load()?;
        program.attach(INTERFACE, XdpMode::Driver)?;
        Ok(Box::new(ebpf))
    })
}

fn agent<'a>(scene: &'a Scene, mode: &str) -> Result<Agent<'a>> {
    let directory = scene.sandbox.directory();
    let path = directory.join("xelb.yaml");
    let (count, address): (u16, fn(u16) -> Ipv4Addr) =
        if mode == "l2dsr" { (TARGETS_NEAR, near) } else { (TARGETS_FAR, far) };
    fs::write(&path, configuration(mode, (0..count).map(address))?)?;
    fs::create_dir_all("/run/xelb")?;
    let xelb = Xelb::find(None)?;
    let (program, path) = (xelb.program().display().to_string(), path.display().to_string());
    let others = scene.core.others();
    let arguments = [
        "-c",
        &others,
        &program,
        "agent",
        "--config",
        &path,
        "--bpffs",
        PIN_DIR,
        "--socket",
        SOCKET,
        "--xdp-mode",
        "native",
    ];
    let task = Task::new("taskset", &arguments).log_to(&directory.join("agent.log"))?;
    let process = scene.balancer.spawn(task)?;
    let mut agent = Agent { scene, xelb, process };
    agent.wait(count)?;
    Ok(agent)
}

impl Agent<'_> {
    /// Waits until all targets get packets.
    fn wait(&mut self, targets: u16) -> Result<()> {
        wait::until(&format!("{targets} targets are healthy"), LIMIT, || {
            if let Some(status) = self.process.ended().map_err(|error| error.to_string())? {
                let log = self.scene.sandbox.directory().join("agent.log");
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("it ended: {status}: {log}"));
            }
            let arguments = ["get", "targets", "-o", "json", "--socket", SOCKET];
            let task = Task::new(self.xelb.program(), &arguments);
            let answer =
                self.scene.balancer.finish(task, LIMIT).map_err(|error| error.to_string())?;
            match answer.stdout.matches("\"healthy\"").count() {
                count if count == usize::from(targets) => Ok(()),
                count => Err(format!("{count} are: {}", answer.stderr)),
            }
        })?;
        Ok(())
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let ended = self.process.stop(LIMIT).map(drop);
        let task = Task::new(self.xelb.program(), &["detach", "--bpffs", PIN_DIR]);
        let detached =
            self.scene.balancer.finish(task, LIMIT).and_then(|end| end.success().map(drop));
        for error in [ended, detached].into_iter().filter_map(Result::err) {
            eprintln!("ending the agent: {error}");
        }
    }
}

/// Pings pass the sink of the measurement, and are few: no target fails its checks while packets
/// are lost.
fn configuration(mode: &str, targets: impl Iterator<Item = Ipv4Addr>) -> Result<String> {
    let mut text = format!(
        "interfaces: [{INTERFACE}]\ntarget_groups:\n  - name: web\n    protocol: tcp\n    port: 80\n    \
         forwarding: {mode}\n    health_check: {{ protocol: icmp, interval: 20s, timeout: 5s, \
         healthy_threshold: 1, unhealthy_threshold: 10 }}\n    targets:\n"
    );
    for target in targets {
        writeln!(text, "      - {{ address: {target} }}")?;
    }
    writeln!(
        text,
        "listeners:\n  - {{ name: web, address: {VIP}, port: 80, protocol: tcp, default_action: {{ \
         forward: {{ target_group: web }} }} }}"
    )?;
    Ok(text)
}

fn kernel(scene: &Scene, nftables: bool) -> Result<Settings<'_>> {
    // Without any program the balancer's end takes no frames of XDP.
    let pass = XdpPass::attach(&scene.balancer, INTERFACE)?;
    let settings = Settings { scene, nftables, _pass: pass };
    scene.balancer.set("net/ipv4/ip_forward", "1")?;
    if nftables {
        let path = scene.sandbox.directory().join("rules.nft");
        fs::write(&path, rules()?)?;
        scene.balancer.command("nft", &["-f", &path.display().to_string()], LIMIT)?;
    }
    Ok(settings)
}

/// What a balancer of nftables is: the hash of a flow picks a target out of a map.
fn rules() -> Result<String> {
    let mut text = format!(
        "table ip balancer {{\n  chain prerouting {{\n    type nat hook prerouting priority dstnat;\n    \
         ip daddr {VIP} tcp dport 80 dnat to jhash ip saddr . tcp sport mod {TARGETS_FAR} map {{ "
    );
    for number in 0..TARGETS_FAR {
        write!(text, "{number} : {}, ", far(number))?;
    }
    text.push_str("}\n  }\n}\n");
    Ok(text)
}

impl Drop for Settings<'_> {
    fn drop(&mut self) {
        let host = &self.scene.balancer;
        let mut results = vec![host.set("net/ipv4/ip_forward", "0")];
        if self.nftables {
            results
                .push(host.command("nft", &["delete", "table", "ip", "balancer"], LIMIT).map(drop));
        }
        for error in results.into_iter().filter_map(Result::err) {
            eprintln!("taking settings back: {error}");
        }
    }
}
