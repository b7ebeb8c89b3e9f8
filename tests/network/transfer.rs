//! Much data in both directions: nothing is lost, changed or too big for the way.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Lab,
    configuration::{Group, TargetFamily},
    topology::{VIP_V4, VIPS},
    web::{RANDOM_BYTES, digest, random_file},
};

use crate::iperf;
use crate::scene::{MODES, Mode, Scene, in_every_mode, in_lab_alone, url};

const TARGETS: u8 = 2;
const LIMIT: Duration = Duration::from_secs(20);

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
        in_lab_alone(1, move |lab| {
            let _scene = Scene::start(lab, &iperf_configuration(mode))?;
            iperf::measure(lab, mode.name, VIP_V4.into())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

fn iperf_configuration(mode: Mode) -> Configuration {
    let mut configuration = Configuration::default();
    let family = if mode.crossed { TargetFamily::V6 } else { TargetFamily::V4 };
    for protocol in ["tcp", "udp"] {
        let group = Group::new(protocol, protocol, iperf::PORT, mode.forwarding).with(&[1]);
        configuration.add(VIP_V4.into(), Group { family, ..group });
    }
    configuration
}
