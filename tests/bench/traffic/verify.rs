//! Before a measurement: checks with a few single packets that a balancer works as described.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lb_tests::capture::Capture;

use super::{
    balancers::Balancer,
    sample::{self, Load},
    scene::{INTERFACE, Scene, VIP},
};

const PACKETS: u64 = 200;
const FLOWS: u64 = 100;
/// A hundred flows over a hundred targets hardly ever meet fewer.
const TARGETS_MIN: usize = 40;

/// Sends some packets; all of them must arrive, and look as they should.
pub(super) fn verify(balancer: Balancer, scene: &Scene) -> Result<()> {
    let load = Load {
        flows: Some(FLOWS),
        rate: Some(2000),
        count: Some(PACKETS),
        duration: Duration::from_secs(5),
        drop: false,
    };
    let filter = filter(balancer, scene)?;
    let log = scene.sandbox.directory().join("verify.log");
    let capture = Capture::start_at(log, &scene.client, INTERFACE, &filter)?;
    let sample = sample::take(scene, load)?;
    let packets = usize::try_from(PACKETS)?;
    let lines = capture
        .finish_with(packets)
        .with_context(|| format!("{balancer:?}: {:?}, filter {filter}", sample.arrived))?;
    ensure!(lines.len() == packets && sample.sent == PACKETS, "{} packets: {filter}", lines.len());
    ensure!(sample.received == PACKETS, "{balancer:?}: {:?}", sample.arrived);
    let destinations: BTreeSet<&str> = lines.iter().filter_map(|line| destination(line)).collect();
    match balancer {
        Balancer::Xelb("ipip" | "gue") | Balancer::Nftables => {
            ensure!(destinations.len() >= TARGETS_MIN, "{balancer:?}: {destinations:?}");
        }
        _ => ensure!(destinations.len() == 1, "{balancer:?}: {destinations:?}"),
    }
    Ok(())
}

/// Outer destination in a line of `tcpdump -n -e -t`, with its port if there is one.
fn destination(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("> ")?;
    let (_, rest) = rest.split_once("> ")?;
    rest.split_once(':').map(|(destination, _)| destination)
}

/// What packets look like that come back; tcpdump counts from the start of the IP or UDP header.
fn filter(balancer: Balancer, scene: &Scene) -> Result<String> {
    let vip = u32::from(VIP);
    let mac = scene.client.ip(&format!("-br link show {INTERFACE}"))?;
    let mac = mac.split_whitespace().nth(2).context("a MAC")?;
    let same = format!("dst host {VIP} and tcp dst port 80 and src net 198.18.0.0/15");
    let text = match balancer {
        Balancer::Reflector | Balancer::Xelb("l2dsr") => format!("{same} and ip[8] = 64"),
        Balancer::ConstantHeader => {
            format!("ip proto 4 and src host 172.16.0.1 and dst host 10.9.0.1 and ip[36:4] = {vip}")
        }
        Balancer::Xelb("gue") => format!(
            "src net 172.16.0.0/16 and dst net 10.9.0.0/16 and udp dst port 6080 and \
             udp[8] & 0xf0 = 0x40 and udp[24:4] = {vip}"
        ),
        Balancer::Xelb(_) => format!(
            "ip proto 4 and src net 172.16.0.0/16 and dst net 10.9.0.0/16 and ip[36:4] = {vip}"
        ),
        Balancer::Forwarding => format!("{same} and ip[8] = 63"),
        Balancer::Nftables => {
            "src net 198.18.0.0/15 and dst net 10.9.0.0/16 and tcp dst port 80 and ip[8] = 63"
                .to_owned()
        }
    };
    Ok(format!("ether dst {mac} and {text}"))
}
