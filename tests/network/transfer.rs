//! Much data in both directions: nothing is lost, changed or too big for the way.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Lab,
    configuration::{Group, TargetFamily},
    process::Task,
    topology::{VIP_V4, VIPS},
    wait,
    web::{RANDOM_BYTES, digest, random_file},
};

use crate::scene::{MODES, Mode, Scene, in_every_mode, in_lab, url};

const TARGETS: u8 = 2;
const LIMIT: Duration = Duration::from_secs(20);
const IPERF_PORT: u16 = 5201;
/// Far below what any machine does, far above what a path with loss would.
const IPERF_BITS_PER_SECOND_MIN: f64 = 50e6;
/// A busy machine may lose some at a full socket buffer.
const UDP_LOST_PERCENT_MAX: f64 = 5.0;

#[test]
fn ten_megabytes_arrive_unchanged_in_both_directions() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, _| {
        for vip in VIPS {
            download(lab, vip)?;
            // Full-sized packets towards the targets: those that get an outer header.
            upload(lab, vip)?;
        }
        Ok(())
    })
}

/// Ten megabytes from a target to client1.
pub(crate) fn download(lab: &Lab, vip: IpAddr) -> anyhow::Result<()> {
    let received = lab.directory().join("received");
    let (path, page) = (received.display().to_string(), url(vip, "/random"));
    let client = lab.client(1);
    client.command("curl", &["-sSgf", "--max-time", "15", "-o", &path, &page], LIMIT)?;
    ensure!(std::fs::metadata(&received)?.len() == RANDOM_BYTES, "{vip}: wrong length");
    let expected = digest(&random_file(lab.directory()))?;
    ensure!(digest(&received)? == expected, "{vip}: the download has another checksum");
    Ok(())
}

/// Ten megabytes from client1 to a target.
pub(crate) fn upload(lab: &Lab, vip: IpAddr) -> anyhow::Result<()> {
    let sent = random_file(lab.directory());
    let expected = digest(&sent)?;
    let name = if vip.is_ipv4() { "big-v4" } else { "big-v6" };
    let (path, page) = (sent.display().to_string(), url(vip, &format!("/upload/{name}")));
    lab.client(1).command("curl", &["-sSgf", "--max-time", "15", "-T", &path, &page], LIMIT)?;
    let mut holders = 0;
    for target in (1..).take(lab.targets().len()) {
        let server = lab.web_server(target).context("the server runs")?;
        if let Some(digest) = server.upload_digest(name)? {
            ensure!(digest == expected, "{vip}: the upload has another checksum");
            holders += 1;
        }
    }
    ensure!(holders == 1, "{vip}: {holders} targets have the upload");
    Ok(())
}

/// iperf3 needs all its connections at one target: its groups have one. What a client sends passes
/// the balancer; with `--reverse` answers go past it.
#[test]
fn iperf3_fills_the_way_in_both_directions() -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(1, move |lab| {
            let _scene = Scene::start(lab, &iperf_configuration(mode))?;
            // Bound to the VIP: it would answer datagrams from the host's own address.
            let vip = VIP_V4.to_string();
            let server = Task::new("iperf3", &["-s", "-B", &vip]).log_to(&lab.log("iperf3"))?;
            let _server = lab.target(1).spawn(server)?;
            wait_for_iperf(lab)?;
            for direction in ["--format=m", "--reverse"] {
                let tcp = iperf(lab, &[direction])?;
                println!("{} {direction}: {:.0} Mbit/s", mode.name, rate(&tcp)? / 1e6);
                ensure!(rate(&tcp)? > IPERF_BITS_PER_SECOND_MIN, "{direction}: {tcp}");
            }
            let udp = iperf(lab, &["--udp", "--bitrate=100M", "--length=1400"])?;
            let lost = udp["end"]["sum"]["lost_percent"].as_f64().context("a loss")?;
            println!("{} UDP: {:.0} Mbit/s, {lost:.2} % lost", mode.name, rate(&udp)? / 1e6);
            ensure!(
                rate(&udp)? > IPERF_BITS_PER_SECOND_MIN && lost < UDP_LOST_PERCENT_MAX,
                "{udp}"
            );
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

fn iperf_configuration(mode: Mode) -> Configuration {
    let mut configuration = Configuration::default();
    let family = if mode.crossed { TargetFamily::V6 } else { TargetFamily::V4 };
    for protocol in ["tcp", "udp"] {
        let group = Group::new(protocol, protocol, IPERF_PORT, mode.forwarding).with(&[1]);
        configuration.add(VIP_V4.into(), Group { family, ..group });
    }
    configuration
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
