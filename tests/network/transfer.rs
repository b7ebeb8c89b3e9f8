//! Much data in both directions: nothing is lost, changed or too big for the way.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding,
    configuration::{Group, TargetFamily},
    process::Task,
    topology::{VIP_V4, VIPS},
    web::{RANDOM_BYTES, digest, random_file},
};

use crate::scene::{Scene, in_every_mode, in_lab, url};

const TARGETS: u8 = 2;
const LIMIT: Duration = Duration::from_secs(20);
const IPERF_PORT: u16 = 5201;
/// Far below what any machine does, far above what a path with loss would.
const IPERF_BITS_PER_SECOND_MIN: f64 = 50e6;

#[test]
fn ten_megabytes_arrive_unchanged_in_both_directions() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, _| {
        let sent = random_file(lab.directory());
        let expected = digest(&sent)?;
        for (number, vip) in VIPS.into_iter().enumerate() {
            let received = lab.directory().join(format!("received-{number}"));
            let (path, page) = (received.display().to_string(), url(vip, "/random"));
            let client = lab.client(1);
            client.command("curl", &["-sSgf", "--max-time", "15", "-o", &path, &page], LIMIT)?;
            ensure!(std::fs::metadata(&received)?.len() == RANDOM_BYTES, "{vip}: wrong length");
            ensure!(digest(&received)? == expected, "{vip}: the download has another checksum");

            // Full-sized packets towards the targets: those that get an outer header.
            let name = format!("big-{number}");
            let (path, page) = (sent.display().to_string(), url(vip, &format!("/upload/{name}")));
            client.command("curl", &["-sSgf", "--max-time", "15", "-T", &path, &page], LIMIT)?;
            let mut holders = 0;
            for target in 1..=TARGETS {
                let server = lab.web_server(target).context("the server runs")?;
                if let Some(digest) = server.upload_digest(&name)? {
                    ensure!(digest == expected, "{vip}: the upload has another checksum");
                    holders += 1;
                }
            }
            ensure!(holders == 1, "{vip}: {holders} targets have the upload");
        }
        Ok(())
    })
}

/// iperf3 needs both its connections at one target: its group has one.
#[test]
fn iperf3_fills_the_way_in_both_directions() -> anyhow::Result<()> {
    for forwarding in [Forwarding::Ipip, Forwarding::L2dsr] {
        in_lab(1, move |lab| {
            let mut configuration = Configuration::default();
            configuration.add(
                VIP_V4.into(),
                Group {
                    name: "iperf".to_owned(),
                    protocol: "tcp",
                    port: IPERF_PORT,
                    forwarding,
                    family: TargetFamily::V4,
                    targets: vec![(1, 100)],
                },
            );
            let _scene = Scene::start(lab, &configuration)?;
            let server = Task::new("iperf3", &["-s"]).log_to(&lab.log("iperf3"))?;
            let _server = lab.target(1).spawn(server)?;
            wait_for_iperf(lab)?;
            for direction in ["--format=m", "--reverse"] {
                let vip = VIP_V4.to_string();
                let arguments = ["-c", &vip, "-t", "2", "-J", direction];
                let output = lab.client(1).command("iperf3", &arguments, LIMIT)?;
                let report: serde_json::Value = serde_json::from_str(&output)?;
                let rate = report["end"]["sum_received"]["bits_per_second"].as_f64();
                let rate = rate.with_context(|| format!("a rate in {output}"))?;
                println!("{forwarding} {direction}: {:.0} Mbit/s", rate / 1e6);
                ensure!(rate > IPERF_BITS_PER_SECOND_MIN, "{direction}: {rate} bit/s");
            }
            Ok(())
        })
        .with_context(|| format!("in mode {forwarding}"))?;
    }
    Ok(())
}

fn wait_for_iperf(lab: &lb_tests::Lab) -> anyhow::Result<()> {
    let target = lab.target(1);
    lb_tests::wait::until("iperf3 listens", LIMIT, || {
        let sockets = target
            .run(|| std::fs::read_to_string("/proc/thread-self/net/tcp6"))
            .unwrap_or_default();
        if sockets.contains(&format!(":{IPERF_PORT:04X} ")) {
            Ok(())
        } else {
            Err("it does not".to_owned())
        }
    })?;
    Ok(())
}
