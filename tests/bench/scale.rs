//! A large configuration on a real agent: how long it takes to start with it, to apply it, to change
//! one target of it, and how much memory that needs.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    lab,
    process::Task,
    topology, wait,
};
use lb_userspace::api::{Client, TargetPatch};
use nix::sys::signal::Signal;

/// Groups, each with a listener.
const GROUPS: u16 = 1000;

/// Targets of a group.
const TARGETS: u16 = 10;

const PORT: u16 = 8081;

const LIMIT: Duration = Duration::from_mins(2);

/// Measures all of it.
pub(crate) fn run(rounds: u32) -> Result<()> {
    lab::run(1, move |lab| measure(lab, rounds))
}

fn address(group: u16, target: u16) -> Ipv4Addr {
    let [high, low] = (group * TARGETS + target).to_be_bytes();
    Ipv4Addr::new(10, 9, high, low)
}

fn measure(lab: &Lab, rounds: u32) -> Result<()> {
    let host = lab.target(1);
    host.ip("route add local 10.9.0.0/16 dev lo")?;
    let server = host
        .run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)))
        .context("starting the server")?;
    // Connections that nobody takes would fill its queue. Ends with the process.
    thread::spawn(move || server.incoming().for_each(drop));
    lab.lb().ip(&format!("route add 10.9.0.0/16 via {}", topology::target_v4(1)))?;
    let path = configuration_path(lab);
    fs::write(&path, configuration()).context("writing the configuration")?;
    let xelb = Xelb::find(None)?;
    println!("{GROUPS} listeners, {GROUPS} groups, {} targets", GROUPS * TARGETS);

    let (mut agent, took) = start(lab, &xelb)?;
    println!("start without a configuration: {took:?}");
    let begun = Instant::now();
    let path = path.display().to_string();
    xelb.command(lab, &["apply", "-f", &path])?.success()?;
    println!("`xelb apply` of the whole configuration: {:?}", begun.elapsed());
    healthy(&xelb, lab)?;
    println!("memory of the agent: {}", memory(&agent)?);
    changes(lab, &xelb, rounds)?;
    println!("memory of the agent after {rounds} changes: {}", memory(&agent)?);
    agent.signal(Signal::SIGKILL)?;
    agent.wait(LIMIT)?;
    let (mut agent, took) = start(lab, &xelb)?;
    println!("start on the maps of the one before: {took:?}");
    agent.signal(Signal::SIGTERM)?;
    agent.wait(LIMIT)?;
    xelb.detach(lab)?;
    let (agent, took) = start(lab, &xelb)?;
    println!("start without maps, as after a reboot: {took:?}");
    println!("memory of the agent: {}", memory(&agent)?);
    Ok(())
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

fn request<T>(
    ask: impl AsyncFnOnce(&Client) -> Result<T, lb_userspace::api::ClientError>,
) -> Result<T> {
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

/// Changes the weight of one target after the other.
fn changes(lab: &Lab, xelb: &Xelb, rounds: u32) -> Result<()> {
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
        runtime.block_on(client.target_patch(&name, target, None, &patch, false))?;
        by_api.push(begun.elapsed());
        let weight = (110 + round % 50).to_string();
        let arguments = ["target", "weight", &name, &target.to_string(), &weight];
        let begun = Instant::now();
        xelb.command(lab, &arguments)?.success()?;
        by_command.push(begun.elapsed());
    }
    println!("a change of one target, {rounds} times, from the request to the answer:");
    for (what, samples) in [("over the API", &mut by_api), ("by `xelb target`", &mut by_command)] {
        samples.sort_unstable();
        let at = |part: usize| samples.get((samples.len() - 1) * part / 100).copied();
        let [half, most, longest] =
            [50, 95, 100].map(|part| at(part).unwrap_or_default().as_micros());
        println!("  {what}: median {half} us, 95 % within {most} us, longest {longest} us");
    }
    Ok(())
}

/// What is resident, and what of it is not files.
fn memory(agent: &Process) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let [all, own, files] = ["VmRSS:", "RssAnon:", "RssFile:"].map(|name| field(name) / 1024);
    Ok(format!("{all} MiB resident, of it {own} MiB its own, {files} MiB files"))
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
