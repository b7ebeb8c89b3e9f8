//! What scaled groups cost an agent that has nothing to change: its share of a core, and what it writes.
//! The same targets without `scaling` are measured beside it.

use std::{
    fmt, fs,
    net::{Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    lab,
    process::Task,
    topology, wait,
};
use nix::sys::signal::Signal;
use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;

/// Members of a group.
const MEMBERS: u16 = 2;

const PORT: u16 = 8081;

/// How long 2,000 members may take until all are in service.
const LIMIT: Duration = Duration::from_mins(5);

/// Between that and the measurement. Each group has got targets one after the other, and its ring is looked
/// at until flows of before are over, after `idle_timeout` (60 s): that is no cost of scaling at rest.
const SETTLE: Duration = Duration::from_secs(80);

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Groups, each with a listener and two members.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=2000))]
    groups: u16,
    /// For how long; less than a minute misses what is done once a minute.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Scaling {
    groups: u16,
    members: u16,
    scaled: Cost,
    declared: Cost,
}

/// What one agent cost.
#[derive(Debug, Serialize)]
struct Cost {
    /// From the start of the agent until all targets were in service.
    until_in_service_s: f64,
    /// Of one core.
    cpu_percent: f64,
    /// Written to disk, in a minute.
    written_mb_per_minute: f64,
    /// Calls of `write` and the like, to files and sockets.
    write_calls_per_minute: f64,
}

impl fmt::Display for Scaling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { groups, members, scaled, declared } = self;
        writeln!(formatter, "{groups} groups of {members} targets, nothing to change")?;
        writeln!(formatter, "scaled:            {scaled}")?;
        write!(formatter, "without `scaling`: {declared}")
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.2} % of a core, {:.2} MB a minute in {:.0} writes; {:.0} s until all were in service",
            self.cpu_percent,
            self.written_mb_per_minute,
            self.write_calls_per_minute,
            self.until_in_service_s
        )
    }
}

/// Measures both.
pub(crate) fn run(options: Options) -> Result<Scaling> {
    lab::run(1, move |lab| measure(lab, options))
}

fn measure(lab: &Lab, options: Options) -> Result<Scaling> {
    let host = lab.target(1);
    host.ip("route add local 10.9.0.0/16 dev lo")?;
    let server = host
        .run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)))
        .context("starting the server")?;
    // Connections that are not accepted would fill its queue. Ends with the process.
    thread::spawn(move || server.incoming().for_each(drop));
    lab.lb().ip(&format!("route add 10.9.0.0/16 via {}", topology::target_v4(1)))?;
    let scaled = cost(lab, options, true)?;
    let declared = cost(lab, options, false)?;
    Ok(Scaling { groups: options.groups, members: MEMBERS, scaled, declared })
}

/// What an agent costs, from its start to its end.
fn cost(lab: &Lab, options: Options, scaled: bool) -> Result<Cost> {
    let Options { groups, seconds } = options;
    let path = configuration_path(lab);
    fs::write(&path, configuration(groups, scaled)).context("writing the configuration")?;
    let path = path.display().to_string();
    // The directory of the lab is in memory, where nothing is written to disk.
    let folder = tempfile::tempdir_in("/var/tmp").context("making a state directory")?;
    let state = folder.path().join("state").display().to_string();
    let xelb = Xelb::find(None)?;
    let begun = Instant::now();
    let arguments =
        ["agent", "--config", &path, "--state-dir", &state, "--bpffs", PIN_DIR, "--socket", SOCKET];
    let task = Task::new(xelb.program(), &arguments).log_to(&lab.log("agent"))?;
    let mut agent = lab.lb().spawn(task)?;
    in_service(&xelb, lab, groups)?;
    let until_in_service = begun.elapsed();
    thread::sleep(SETTLE);
    let (before, at) = (Used::now(&agent)?, Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let (after, elapsed) = (Used::now(&agent)?, at.elapsed().as_secs_f64());
    agent.signal(Signal::SIGTERM)?;
    agent.wait(LIMIT)?;
    xelb.detach(lab)?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let per_minute = |count: u64| count as f64 * 60.0 / elapsed;
    Ok(Cost {
        until_in_service_s: until_in_service.as_secs_f64(),
        cpu_percent: (after.cpu_seconds - before.cpu_seconds) / elapsed * 100.0,
        written_mb_per_minute: per_minute(after.bytes - before.bytes) / 1e6,
        write_calls_per_minute: per_minute(after.calls - before.calls),
    })
}

fn in_service(xelb: &Xelb, lab: &Lab, groups: u16) -> Result<()> {
    wait::until("all targets are healthy", LIMIT, || {
        let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
        let healthy = targets.iter().filter(|target| target.state == "healthy").count();
        if healthy == usize::from(groups * MEMBERS) { Ok(()) } else { Err(healthy.to_string()) }
    })?;
    Ok(())
}

/// What a process has used since it started.
#[derive(Clone, Copy, Debug)]
struct Used {
    cpu_seconds: f64,
    bytes: u64,
    calls: u64,
}

impl Used {
    fn now(process: &Process) -> Result<Self> {
        let folder = format!("/proc/{}", process.pid());
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        // The name, in brackets, may hold spaces; `utime` and `stime` are fields 14 and 15.
        let behind_name = stat.rsplit_once(')').context("no name in stat")?.1;
        let fields: Vec<&str> = behind_name.split_whitespace().skip(11).take(2).collect();
        ensure!(fields.len() == 2, "stat is too short: {stat}");
        let ticks = fields.iter().map(|field| field.parse::<u64>()).sum::<Result<u64, _>>()?;
        let second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick")?;
        let io = fs::read_to_string(format!("{folder}/io"))?;
        let of = |name: &str| -> Result<u64> {
            let line = io.lines().find_map(|line| line.strip_prefix(name));
            Ok(line.with_context(|| format!("no {name} in io"))?.trim().parse()?)
        };
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let cpu_seconds = ticks as f64 / second as f64;
        Ok(Self { cpu_seconds, bytes: of("write_bytes:")?, calls: of("syscw:")? })
    }
}

fn address(group: u16, target: u16) -> Ipv4Addr {
    let [high, low] = (group * MEMBERS + target).to_be_bytes();
    Ipv4Addr::new(10, 9, high, low)
}

/// Groups with a policy each, whose members are declared, or the same targets as such.
fn configuration(groups: u16, scaled: bool) -> String {
    use std::fmt::Write as _;

    let mut text = "interfaces: [eth0]\ntarget_groups:\n".to_owned();
    for group in 0..groups {
        let targets =
            (0..MEMBERS).map(|target| format!("{{ address: {} }}", address(group, target)));
        let targets = targets.collect::<Vec<_>>().join(", ");
        // Writing to a string does not fail.
        let _written = write!(
            text,
            "  - name: g{group}\n    protocol: tcp\n    port: {PORT}\n    forwarding: ipip\n    \
             health_check: {{ protocol: tcp, interval: 30s }}\n"
        );
        let _written = if scaled {
            let policy =
                "{ name: load, target_tracking: { metric: packets_per_target, value: 1000 } }";
            writeln!(
                text,
                "    scaling: {{ min: {MEMBERS}, max: {MEMBERS}, driver: {{ static: {{ targets: \
                 [{targets}] }} }}, policies: [{policy}] }}"
            )
        } else {
            writeln!(text, "    targets: [{targets}]")
        };
    }
    text.push_str("listeners:\n");
    for group in 0..groups {
        let [high, low] = group.to_be_bytes();
        let _written = writeln!(
            text,
            "  - {{ name: l{group}, address: 203.0.{}.{low}, port: {PORT}, protocol: tcp, \
             attributes: {{ idle_timeout: 60s }}, default_action: {{ forward: {{ target_group: g{group} \
             }} }} }}",
            113 + high
        );
    }
    text
}
