//! `tcp_mss`: what targets see in the SYNs of clients.

use anyhow::{Context as _, ensure};
use lb_tests::{Configuration, Lab, capture::Capture, http, topology::VIPS};

use crate::scene::{MODES, REQUEST_LIMIT, Scene, in_lab, web_at};

const MSS: &str = "1300";
const REQUESTS: usize = 10;

/// The MSS of every SYN that a target gets, behind its decapsulator.
fn offered(lab: &Lab, target: u8) -> anyhow::Result<Vec<String>> {
    let [v4, v6] = VIPS;
    // In IPv6, tcpdump does not look for flags behind the header by itself.
    let filter = format!(
        "(dst host {v4} and tcp[tcpflags] & tcp-syn != 0) or \
         (dst host {v6} and ip6 proto 6 and ip6[53] & 2 != 0)"
    );
    let capture = Capture::start(lab, lab.target(target), "eth0", &filter)?;
    for vip in VIPS {
        lab.client(1).run(move || -> std::io::Result<()> {
            for _ in 0..REQUESTS {
                http::get(web_at(vip), "/", REQUEST_LIMIT)?;
            }
            Ok(())
        })?;
    }
    let lines = capture.finish_with(2 * REQUESTS)?;
    let mss = |line: &String| {
        let (_, rest) = line.split_once("[mss ")?;
        Some(rest.split([',', ']']).next()?.to_owned())
    };
    Ok(lines.iter().filter_map(mss).collect())
}

#[test]
fn targets_see_the_configured_mss_at_most() -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(1, move |lab| {
            let mut configuration = Configuration::everything(mode.forwarding, mode.crossed, &[1]);
            for group in configuration.groups.iter_mut().filter(|group| group.protocol == "tcp") {
                group.attributes.push(format!("tcp_mss: {MSS}"));
            }
            let _scene = Scene::start(lab, &configuration)?;
            let offered = offered(lab, 1)?;
            ensure!(offered == vec![MSS; 2 * REQUESTS], "in SYNs: {offered:?}");
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}
