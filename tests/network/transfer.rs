//! Much data in both directions: nothing is lost, changed or too big for the way.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Lab,
    topology::VIPS,
    web::{RANDOM_BYTES, digest, random_file},
};

use crate::scene::{in_every_mode, url};

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
