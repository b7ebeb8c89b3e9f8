//! What is on the wire between the balancer and a target, as tcpdump sees it at the switch.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Forwarding, Lab,
    capture::Capture,
    http,
    topology::{VIPS, target_v4, target_v6},
};

use crate::scene::{Mode, REQUEST_LIMIT, in_every_mode, web_at};

const REQUESTS: usize = 40;
/// Forty flows over 65,536 outer sources are hardly ever fewer than this.
const SOURCES_MIN: usize = 30;
/// Packets are printed a moment after they have passed.
const PRINTING: Duration = Duration::from_millis(300);

#[test]
fn outer_headers_are_those_of_the_mode() -> anyhow::Result<()> {
    in_every_mode(1, |mode, lab, _| {
        for vip in VIPS {
            check(mode, lab, vip).with_context(|| format!("requests to {vip}"))?;
        }
        Ok(())
    })
}

fn check(mode: Mode, lab: &Lab, vip: IpAddr) -> anyhow::Result<()> {
    // The switch's port `t1` leads to t1; only what goes out of it is shown.
    let capture = Capture::start(lab, lab.switch(), "t1", &filter(mode))?;
    lab.client(1).run(move || -> anyhow::Result<()> {
        for _ in 0..REQUESTS {
            http::get(web_at(vip), "/", REQUEST_LIMIT)?;
        }
        Ok(())
    })?;
    std::thread::sleep(PRINTING);
    let packets = capture.finish()?;
    ensure!(packets.len() >= REQUESTS * 3, "only {} packets", packets.len());

    let outer: Vec<(IpAddr, String)> = packets.iter().filter_map(|line| addresses(line)).collect();
    ensure!(outer.len() == packets.len(), "not understood: {packets:?}");
    let sources: BTreeSet<IpAddr> = outer.iter().map(|(source, _)| *source).collect();
    match mode.forwarding {
        Forwarding::L2dsr => {
            let mac = lab.target(1).ip("-br link show eth0")?;
            let mac = mac.split_whitespace().nth(2).context("t1 has a MAC")?;
            for line in &packets {
                ensure!(line.contains(&format!("> {mac},")), "not to {mac}: {line}");
            }
            ensure!(sources.len() == 1, "the client's address only: {sources:?}");
        }
        Forwarding::Ipip | Forwarding::Gue { .. } => {
            let target: IpAddr = match (vip.is_ipv4(), mode.crossed) {
                (true, false) | (false, true) => target_v4(1).into(),
                _ => target_v6(1).into(),
            };
            for (_, destination) in &outer {
                let expected = match mode.forwarding {
                    Forwarding::Gue { .. } => format!("{target}.6080"),
                    _ => target.to_string(),
                };
                ensure!(*destination == expected, "to {destination}, not {expected}");
            }
            ensure!(sources.len() >= SOURCES_MIN, "sources do not vary: {sources:?}");
        }
    }
    Ok(())
}

/// Packets of the mode; of GUE only those of the variant: 0 begins with a header of zeros, 1 with the
/// version of IP.
fn filter(mode: Mode) -> String {
    let variant = match mode.forwarding {
        Forwarding::Gue { variant: 0 } => "udp[8] = 0 or ip6[48] = 0",
        Forwarding::Gue { .. } => "udp[8] & 0xf0 = 0x40 or ip6[48] & 0xf0 = 0x60",
        _ => "ip6 or ip",
    };
    format!(
        "ip proto 4 or ip proto 41 or ip6 proto 4 or ip6 proto 41 or \
         (udp dst port 6080 and ({variant})) or dst host {} or dst host {}",
        VIPS[0], VIPS[1]
    )
}

/// Source and destination of the outermost IP header in a line of `tcpdump -n -e -t`:
/// `MAC > MAC, ethertype IPv4 (0x0800), length 94: 172.16.3.4 > 10.0.0.11: ...`. A port is part of
/// an address there, behind a dot.
fn addresses(line: &str) -> Option<(IpAddr, String)> {
    let (_, rest) = line.split_once(", length ")?;
    let (_, rest) = rest.split_once(": ")?;
    let mut words = rest.trim_start_matches("IP6 ").trim_start_matches("IP ").split(' ');
    let source = words.next()?;
    let destination = words.nth(1)?.trim_end_matches(':');
    let source = source.parse().ok().or_else(|| {
        let (address, _port) = source.rsplit_once('.')?;
        address.parse().ok()
    })?;
    Some((source, destination.to_owned()))
}

#[test]
fn lines_of_tcpdump_are_understood() {
    let v4: IpAddr = [172, 16, 3, 4].into();
    let client: IpAddr = [10, 1, 1, 2].into();
    for (line, expected) in [
        (
            "0a:00 > 0b:00, ethertype IPv4 (0x0800), length 94: 172.16.3.4 > 10.0.0.11: 10.1.1.2.1 > x",
            Some((v4, "10.0.0.11".to_owned())),
        ),
        (
            "0a:00 > 0b:00, ethertype IPv4 (0x0800), length 74: 10.1.1.2.4242 > 203.0.113.10.80: Flags",
            Some((client, "203.0.113.10.80".to_owned())),
        ),
        ("nonsense", None),
    ] {
        assert_eq!(addresses(line), expected, "{line}");
    }
}
