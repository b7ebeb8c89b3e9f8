//! Pings to VIPs: the balancer answers them, although it has the VIPs on no interface.

use std::{net::IpAddr, time::Duration};

use anyhow::ensure;
use lb_tests::{
    Configuration, Forwarding, Lab, agent::write_configuration, process::Task, topology::VIPS, wait,
};
use nix::sys::signal::Signal;

use crate::scene::{NOTICE_LIMIT, Scene, in_lab};

const PINGS: u64 = 20;
const LIMIT: Duration = Duration::from_secs(20);
/// Pings of a flood, at most one a millisecond.
const FLOOD: u64 = 300;
/// Answers a second and CPU.
const RATE: u64 = 10;

/// Pings from client1; gives how many were answered, and what ping printed.
fn ping(lab: &Lab, vip: IpAddr, count: u64, options: &[&str]) -> anyhow::Result<(u64, String)> {
    let (vip, number) = (vip.to_string(), count.to_string());
    let arguments = [&["-n", "-c", &number, "-W", "1"], options, &[&vip]].concat();
    // It fails without an answer, which the caller evaluates.
    let output = lab.client(1).finish(Task::new("ping", &arguments), LIMIT)?.stdout;
    let received = output
        .split(", ")
        .find_map(|part| part.strip_suffix(" received"))
        .and_then(|number| number.parse().ok());
    ensure!(received.is_some(), "ping says: {output}");
    Ok((received.unwrap_or_default(), output))
}

fn with_icmp(lines: &str) -> Configuration {
    let mut configuration = Configuration::web(Forwarding::Ipip, &[1]);
    configuration.top.push(format!("icmp: {{ {lines} }}"));
    configuration
}

#[test]
fn pings_to_vips_are_answered_unless_configured_otherwise() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let scene = Scene::start(lab, &Configuration::web(Forwarding::Ipip, &[1]))?;
        for vip in VIPS {
            let held = lab.lb().ip("address show")?;
            ensure!(!held.contains(&vip.to_string()), "the balancer itself has {vip}: {held}");
            for length in ["0", "56", "1400"] {
                let (received, output) = ping(lab, vip, PINGS, &["-i", "0.01", "-s", length])?;
                ensure!(received == PINGS, "{vip}, {length} bytes: {output}");
                // 64 at the balancer, one less behind the router.
                let shown = output.lines().filter(|line| line.contains("ttl=63")).count();
                ensure!(shown >= 20, "{vip}: another TTL: {output}");
            }
        }
        let answered = scene.xelb.counter(lab, "echo_reply_sent")?;
        ensure!(answered == PINGS * 6, "{answered} answers were counted");

        write_configuration(lab, &with_icmp("echo_reply: false"))?;
        scene.agent.signal(Signal::SIGHUP)?;
        wait::until("pings are not answered", NOTICE_LIMIT, || {
            let seen = VIPS.map(|vip| ping(lab, vip, 1, &[]).map_or(1, |(received, _)| received));
            if seen == [0, 0] { Ok(()) } else { Err(format!("{seen:?}")) }
        })?;
        Ok(())
    })
}

#[test]
fn more_pings_than_configured_are_not_answered() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let scene = Scene::start(lab, &with_icmp(&format!("rate: {RATE}")))?;
        let (received, output) = ping(lab, VIPS[0], FLOOD, &["-i", "0.001"])?;
        // A second's allowance at once on each CPU, and what comes while ping runs (a few seconds).
        let cpus = u64::try_from(std::thread::available_parallelism()?.get())?;
        ensure!((RATE..=RATE * cpus * 4).contains(&received), "{output}");
        let refused = scene.xelb.counter(lab, "icmp_rate_limited")?;
        ensure!(received + refused == FLOOD, "{refused} were refused: {output}");
        Ok(())
    })
}
