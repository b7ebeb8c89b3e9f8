//! iperf3 through the balancer: TCP in both directions, UDP.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Lab,
    configuration::{Group, TargetFamily},
    process::Task,
    topology::{VIP_V4, target_v4},
    wait,
};

use crate::scene::{IPERF_PORT, MODES, Mode, Scene, in_lab_alone};
use crate::translated;

const LIMIT: Duration = Duration::from_secs(20);

/// Far below what any machine does, far above what a path with loss would.
const BITS_PER_SECOND_MIN: f64 = 50e6;
/// A busy machine may lose some at a full socket buffer.
const UDP_LOST_PERCENT_MAX: f64 = 5.0;

/// Runs its server on the first target, bound to `address` (it would answer datagrams from the
/// host's own address), and its client against the IPv4 VIP.
fn measure(lab: &Lab, name: &str, address: IpAddr) -> anyhow::Result<()> {
    let address = address.to_string();
    let server = Task::new("iperf3", &["-s", "-B", &address]).log_to(&lab.log("iperf3"))?;
    let _server = lab.target(1).spawn(server)?;
    wait_for_iperf(lab)?;
    for direction in ["--format=m", "--reverse"] {
        let tcp = iperf(lab, &[direction])?;
        println!("{name} {direction}: {:.0} Mbit/s", rate(&tcp)? / 1e6);
        ensure!(rate(&tcp)? > BITS_PER_SECOND_MIN, "{direction}: {tcp}");
    }
    let udp = iperf(lab, &["--udp", "--bitrate=100M", "--length=1400"])?;
    let lost = udp["end"]["sum"]["lost_percent"].as_f64().context("a loss")?;
    println!("{name} UDP: {:.0} Mbit/s, {lost:.2} % lost", rate(&udp)? / 1e6);
    ensure!(rate(&udp)? > BITS_PER_SECOND_MIN && lost < UDP_LOST_PERCENT_MAX, "{udp}");
    Ok(())
}

/// Runs the client for a second and gives its report.
fn iperf(lab: &Lab, options: &[&str]) -> anyhow::Result<serde_json::Value> {
    let vip = VIP_V4.to_string();
    let arguments = [&["-c", &vip, "-t", "1", "-J"], options].concat();
    let output = lab.client(1).command("iperf3", &arguments, LIMIT)?;
    Ok(serde_json::from_str(&output)?)
}

/// Bits a second that arrived.
fn rate(report: &serde_json::Value) -> anyhow::Result<f64> {
    let rate = report["end"]["sum_received"]["bits_per_second"].as_f64();
    rate.with_context(|| format!("no rate in {report}"))
}

fn wait_for_iperf(lab: &Lab) -> anyhow::Result<()> {
    let target = lab.target(1);
    wait::until("iperf3 listens", LIMIT, || {
        let sockets =
            target.run(|| std::fs::read_to_string("/proc/thread-self/net/tcp")).unwrap_or_default();
        if sockets.contains(&format!(":{IPERF_PORT:04X} ")) {
            Ok(())
        } else {
            Err("it does not".to_owned())
        }
    })?;
    Ok(())
}

/// iperf3 needs all its connections at one target: its groups have one. What a client sends passes
/// the balancer; with `--reverse` answers go past it.
#[test]
fn iperf3_transfers_in_both_directions() -> anyhow::Result<()> {
    for mode in MODES {
        in_lab_alone(1, move |lab| {
            let _scene = Scene::start(lab, &configuration(mode))?;
            measure(lab, mode.name, VIP_V4.into())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

fn configuration(mode: Mode) -> Configuration {
    let mut configuration = Configuration::default();
    let family = if mode.crossed { TargetFamily::V6 } else { TargetFamily::V4 };
    for protocol in ["tcp", "udp"] {
        let group = Group::new(protocol, protocol, IPERF_PORT, mode.forwarding).with(&[1]);
        configuration.add(VIP_V4.into(), Group { family, ..group });
    }
    configuration
}

#[test]
fn iperf3_transfers_through_translation() -> anyhow::Result<()> {
    for mode in translated::MODES {
        in_lab_alone(translated::TARGETS, move |lab| {
            let _running = translated::start(lab, mode)?;
            measure(lab, mode, target_v4(1).into())
        })
        .with_context(|| format!("in mode {mode}"))?;
    }
    Ok(())
}
