//! From the end of the probe that decides over a target to its new ring in the kernel, by the
//! agent's own clock: a real agent that checks a thousand targets in a lab.

use std::{
    fmt, fs,
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use anyhow::{Context as _, Result};
use lb_tests::{Lab, Xelb, agent::configuration_path, lab, topology, wait};
use serde::{Deserialize, Serialize};

use crate::times::Times;

/// Targets of the group.
const TARGETS: u16 = 1000;

/// Not nginx's port, which listens on all addresses of the host.
const PORT: u16 = 8081;

/// Longest wait for a verdict.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Status {
    targets: Vec<Target>,
    health: Health,
}

#[derive(Deserialize)]
struct Target {
    state: String,
}

#[derive(Deserialize)]
struct Health {
    last_reaction_us: u64,
}

/// What was measured.
#[derive(Serialize)]
pub(crate) struct Reactions {
    targets: u16,
    deaths: u16,
    reaction: Times,
}

impl fmt::Display for Reactions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { targets, deaths, reaction } = self;
        write!(
            formatter,
            "from the end of the deciding probe to the ring in the kernel, {targets} targets,\n{deaths} \
             deaths: {reaction}"
        )
    }
}

/// Ends the server of one target after the other and tells how long the ring took.
pub(crate) fn run(rounds: u16) -> Result<Reactions> {
    lab::run(1, move |lab| measure(lab, rounds))
}

fn address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 9, high, low)
}

fn measure(lab: &Lab, rounds: u16) -> Result<Reactions> {
    let host = lab.target(1);
    host.ip("route add local 10.9.0.0/16 dev lo")?;
    let mut servers = host
        .run(|| {
            (0..TARGETS)
                .map(|number| TcpListener::bind((address(number), PORT)))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .context("starting the servers")?;
    lab.lb().ip(&format!("route add 10.9.0.0/16 via {}", topology::target_v4(1)))?;
    fs::write(configuration_path(lab), configuration()).context("writing the configuration")?;
    let xelb = Xelb::find(None)?;
    let _agent = xelb.agent(lab)?;
    xelb.wait_healthy(lab, usize::from(TARGETS), LIMIT)?;
    let mut samples = Vec::new();
    for round in 0..rounds {
        // Closing it makes the kernel refuse the next probe.
        drop(servers.pop());
        samples.push(reaction(lab, &xelb, usize::from(round) + 1)?);
    }
    Ok(Reactions { targets: TARGETS, deaths: rounds, reaction: Times::of(samples) })
}

/// Waits until that many targets are unhealthy, and reads how long the last change took.
fn reaction(lab: &Lab, xelb: &Xelb, unhealthy: usize) -> Result<u64> {
    let status = wait::until("the death is seen", LIMIT, || {
        let status = status(lab, xelb).map_err(|error| error.to_string())?;
        let dead = status.targets.iter().filter(|target| target.state == "unhealthy");
        match dead.count() {
            count if count == unhealthy => Ok(status),
            count => Err(format!("{count} are unhealthy")),
        }
    })?;
    Ok(status.health.last_reaction_us)
}

fn status(lab: &Lab, xelb: &Xelb) -> Result<Status> {
    let answer = xelb.command(lab, &["status", "-o", "json"])?.success()?;
    Ok(serde_json::from_str(&answer)?)
}

fn configuration() -> String {
    let mut text = format!(
        "interfaces: [eth0]\ntarget_groups:\n  - name: web\n    protocol: tcp\n    port: {PORT}\n    \
         forwarding: ipip\n    health_check: {{ protocol: tcp, interval: 500ms, timeout: 250ms, \
         unhealthy_threshold: 2 }}\n    targets:\n"
    );
    for number in 0..TARGETS {
        text.push_str("      - { address: ");
        text.push_str(&address(number).to_string());
        text.push_str(" }\n");
    }
    text + &format!(
        "listeners:\n  - {{ name: web, address: 203.0.113.10, port: {PORT}, protocol: tcp, \
         default_action: {{ forward: {{ target_group: web }} }} }}\n"
    )
}
