//! A large configuration on a real agent: how long it takes to start with it, to apply it, to change
//! one target of it, and how much memory that needs.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use lb_api::{Client, TargetPatch};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    lab,
    process::Task,
    topology, wait,
};
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::times::Times;

/// Groups, each with a listener.
const GROUPS: u16 = 1000;

/// Targets of a group.
const TARGETS: u16 = 10;

const PORT: u16 = 8081;

const LIMIT: Duration = Duration::from_mins(2);

/// What was measured. Times in seconds are from the start, or the request, to the answer.
#[derive(Serialize)]
pub(crate) struct Scale {
    listeners: u16,
    groups: u16,
    targets: u16,
    start_empty_s: f64,
    apply_s: f64,
    changes: u32,
    change_over_api: Times,
    change_by_command: Times,
    start_on_maps_s: f64,
    start_anew_s: f64,
    memory: Memory,
    memory_after_changes: Memory,
    memory_after_start: Memory,
}

/// What is resident, and what of it is not files.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "names of the JSON, with their units")]
struct Memory {
    resident_mib: u64,
    own_mib: u64,
    files_mib: u64,
}

impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listeners, groups, targets, changes, .. } = self;
        writeln!(formatter, "{listeners} listeners, {groups} groups, {targets} targets")?;
        writeln!(formatter, "start without a configuration: {:.3} s", self.start_empty_s)?;
        writeln!(formatter, "`xelb apply` of the whole configuration: {:.3} s", self.apply_s)?;
        writeln!(formatter, "memory of the agent: {}", self.memory)?;
        writeln!(
            formatter,
            "a change of one target, {changes} times, from the request to the answer:"
        )?;
        writeln!(formatter, "  over the API: {}", self.change_over_api)?;
        writeln!(formatter, "  by `xelb target`: {}", self.change_by_command)?;
        writeln!(formatter, "memory of the agent after them: {}", self.memory_after_changes)?;
        writeln!(formatter, "start on the maps of the one before: {:.3} s", self.start_on_maps_s)?;
        writeln!(formatter, "start without maps, as after a reboot: {:.3} s", self.start_anew_s)?;
        write!(formatter, "memory of the agent: {}", self.memory_after_start)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident_mib, own_mib, files_mib } = self;
        write!(
            formatter,
            "{resident_mib} MiB resident, of it {own_mib} MiB its own, {files_mib} MiB files"
        )
    }
}

/// Measures all of it.
pub(crate) fn run(rounds: u32) -> Result<Scale> {
    lab::run(1, move |lab| measure(lab, rounds))
}

fn address(group: u16, target: u16) -> Ipv4Addr {
    let [high, low] = (group * TARGETS + target).to_be_bytes();
    Ipv4Addr::new(10, 9, high, low)
}

fn measure(lab: &Lab, rounds: u32) -> Result<Scale> {
    let host = lab.target(1);
    host.ip("route add local 10.9.0.0/16 dev lo")?;
    let server = host
        .run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)))
        .context("starting the server")?;
    // Connections that are not accepted would fill its queue. Ends with the process.
    thread::spawn(move || server.incoming().for_each(drop));
    lab.lb().ip(&format!("route add 10.9.0.0/16 via {}", topology::target_v4(1)))?;
    let path = configuration_path(lab);
    fs::write(&path, configuration()).context("writing the configuration")?;
    let xelb = Xelb::find(None)?;

    let (mut agent, start_empty) = start(lab, &xelb)?;
    let begun = Instant::now();
    let path = path.display().to_string();
    xelb.command(lab, &["apply", "-f", &path])?.success()?;
    let apply = begun.elapsed();
    healthy(&xelb, lab)?;
    let filled = memory(&agent)?;
    let [change_over_api, change_by_command] = changes(lab, &xelb, rounds)?;
    let memory_after_changes = memory(&agent)?;
    agent.signal(Signal::SIGKILL)?;
    agent.wait(LIMIT)?;
    let (mut agent, start_on_maps) = start(lab, &xelb)?;
    agent.signal(Signal::SIGTERM)?;
    agent.wait(LIMIT)?;
    xelb.detach(lab)?;
    let (agent, start_anew) = start(lab, &xelb)?;
    Ok(Scale {
        listeners: GROUPS,
        groups: GROUPS,
        targets: GROUPS * TARGETS,
        start_empty_s: start_empty.as_secs_f64(),
        apply_s: apply.as_secs_f64(),
        changes: rounds,
        change_over_api,
        change_by_command,
        start_on_maps_s: start_on_maps.as_secs_f64(),
        start_anew_s: start_anew.as_secs_f64(),
        memory: filled,
        memory_after_changes,
        memory_after_start: memory(&agent)?,
    })
}

/// Starts an agent, and waits until it shows what it holds.
fn start(lab: &Lab, xelb: &Xelb) -> Result<(Process, Duration)> {
    let state = lab.directory().join("state").display().to_string();
    let arguments = ["agent", "--state-dir", &state, "--bpffs", PIN_DIR, "--socket", SOCKET];
    let begun = Instant::now();
    let agent = lab.lb().spawn(Task::new(xelb.program(), &arguments).log_to(&lab.log("agent"))?)?;
    loop {
        if request(async |client| client.status().await).is_ok() {
            return Ok((agent, begun.elapsed()));
        }
        anyhow::ensure!(begun.elapsed() < LIMIT, "the agent does not answer");
        thread::sleep(Duration::from_millis(2));
    }
}

fn request<T>(ask: impl AsyncFnOnce(&Client) -> Result<T, lb_api::ClientError>) -> Result<T> {
    let client = Client::new(SOCKET.as_ref());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(ask(&client))?)
}

fn healthy(xelb: &Xelb, lab: &Lab) -> Result<()> {
    wait::until("all targets are healthy", LIMIT, || {
        let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
        let healthy = targets.iter().filter(|target| target.state == "healthy").count();
        if healthy == usize::from(GROUPS * TARGETS) { Ok(()) } else { Err(healthy.to_string()) }
    })?;
    Ok(())
}

/// Changes the weight of one target after the other: over the API, and by command.
fn changes(lab: &Lab, xelb: &Xelb, rounds: u32) -> Result<[Times; 2]> {
    let mut by_api = Vec::new();
    let mut by_command = Vec::new();
    for round in 0..rounds {
        let group = u16::try_from(round * 7 % u32::from(GROUPS))?;
        let name = format!("g{group}");
        let target = IpAddr::from(address(group, 3));
        let patch = TargetPatch { weight: Some(50 + round % 50), drain: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::new(SOCKET.as_ref());
        let begun = Instant::now();
        runtime.block_on(client.target_patch(
            &name,
            &target.into(),
            None,
            &patch,
            &lb_api::Terms::default(),
        ))?;
        by_api.push(begun.elapsed());
        let weight = (110 + round % 50).to_string();
        let arguments = ["target", "weight", &name, &target.to_string(), &weight];
        let begun = Instant::now();
        xelb.command(lab, &arguments)?.success()?;
        by_command.push(begun.elapsed());
    }
    let times = |samples: Vec<Duration>| {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Times::of(samples.into_iter().map(micros).collect())
    };
    Ok([times(by_api), times(by_command)])
}

fn memory(agent: &Process) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let [resident_mib, own_mib, files_mib] =
        ["VmRSS:", "RssAnon:", "RssFile:"].map(|name| field(name) / 1024);
    Ok(Memory { resident_mib, own_mib, files_mib })
}

fn configuration() -> String {
    use std::fmt::Write as _;

    let mut text = "interfaces: [eth0]\ntarget_groups:\n".to_owned();
    for group in 0..GROUPS {
        // Writing to a string does not fail.
        let _written = write!(
            text,
            "  - name: g{group}\n    protocol: tcp\n    port: {PORT}\n    forwarding: ipip\n    \
             health_check: {{ protocol: tcp, interval: 5s }}\n    targets:\n"
        );
        for target in 0..TARGETS {
            let _written = writeln!(text, "      - {{ address: {} }}", address(group, target));
        }
    }
    text.push_str("listeners:\n");
    for group in 0..GROUPS {
        let [high, low] = group.to_be_bytes();
        let _written = writeln!(
            text,
            "  - {{ name: l{group}, address: 203.0.{}.{low}, port: {PORT}, protocol: tcp, \
             default_action: {{ forward: {{ target_group: g{group} }} }} }}",
            113 + high
        );
    }
    text
}
