//! Path MTU discovery through the balancer, in both directions: it tells clients when their packets
//! do not fit, and hands to targets what routers tell them.

use std::net::IpAddr;

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Host,
    topology::{VIPS, client_for},
};

use crate::{
    scene::{MODES, Mode, Scene, in_lab},
    transfer::{download, upload},
};

/// What LANs have: no room for an outer header around a full packet.
const ORDINARY: u16 = 1500;
/// That of a link between router and client.
const NARROW: u16 = 1400;

/// Bytes in front of a packet to this VIP.
fn overhead(mode: Mode, vip: IpAddr) -> u16 {
    let ip = if vip.is_ipv4() == mode.crossed { 40 } else { 20 };
    match mode.forwarding {
        Forwarding::Ipip => ip,
        Forwarding::Gue { variant: 1 } => ip + 8,
        Forwarding::Gue { .. } => ip + 12,
        Forwarding::L2dsr => 0,
    }
}

/// The route that a host has learned.
fn route(host: &Host, words: &str) -> anyhow::Result<String> {
    let family = if words.contains(':') { "-6" } else { "-4" };
    Ok(host.ip(&format!("{family} route get {words}"))?)
}

/// Uploads: full packets and an outer header do not fit the LAN; clients get ICMP errors and lower
/// the MTU of their route to the exact value.
#[test]
fn clients_learn_the_path_mtu_of_the_tunnel() -> anyhow::Result<()> {
    for mode in MODES.into_iter().filter(|mode| mode.forwarding.is_tunnel()) {
        in_lab(2, move |lab| {
            lab.set_lan_mtu(ORDINARY)?;
            let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1, 2]);
            let scene = Scene::start(lab, &everything)?;
            for vip in VIPS {
                let before = scene.xelb.counter(lab, "too_big_sent")?;
                upload(lab, vip)?;
                download(lab, vip)?;
                let too_big_sent = scene.xelb.counter(lab, "too_big_sent")? - before;
                ensure!(too_big_sent > 0, "{vip}: nobody was told");
                let room = ORDINARY - overhead(mode, vip);
                let learned = route(lab.client(1), &vip.to_string())?;
                ensure!(learned.contains(&format!("mtu {room}")), "not {room}: {learned}");
            }
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// The documented remedy without ICMP errors: targets that announce a smaller MSS. `tcp_mss` does
/// not help, since it changes the MSS of clients.
#[test]
fn a_small_mss_of_targets_replaces_icmp_errors() -> anyhow::Result<()> {
    for mode in MODES.into_iter().filter(|mode| mode.forwarding.is_tunnel()) {
        in_lab(1, move |lab| {
            lab.set_lan_mtu(ORDINARY)?;
            let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1]);
            let scene = Scene::start(lab, &everything)?;
            for (vip, headers) in VIPS.into_iter().zip([40, 60]) {
                let mss = ORDINARY - overhead(mode, vip) - headers;
                let (family, gateway) =
                    if vip.is_ipv4() { ("-4", "10.0.0.1") } else { ("-6", "fd00::1") };
                let target = lab.target(1);
                target.ip(&format!("{family} route change default via {gateway} advmss {mss}"))?;
                upload(lab, vip)?;
            }
            let too_big_sent = scene.xelb.counter(lab, "too_big_sent")?;
            ensure!(too_big_sent == 0, "{too_big_sent} packets did not fit");
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// Downloads: the router's "too big" is for the VIP, comes to the balancer, and must reach the
/// target that sent the packet.
#[test]
fn targets_get_icmp_errors_for_the_vip() -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(3, move |lab| {
            // Only the router knows: with a narrow interface of its own, the client would ask for
            // small segments.
            lab.router().ip(&format!("link set c1 mtu {NARROW}"))?;
            let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1, 2, 3]);
            let scene = Scene::start(lab, &everything)?;
            for vip in VIPS {
                let before = scene.xelb.counter(lab, "icmp_error_forwarded")?;
                download(lab, vip)?;
                let forwarded = scene.xelb.counter(lab, "icmp_error_forwarded")? - before;
                ensure!(forwarded > 0, "{vip}: no ICMP error was forwarded");
                let words = format!("{} from {vip}", client_for(1, vip));
                let mut knowing = 0;
                for target in lab.targets() {
                    let learned = route(target, &words)?;
                    knowing += usize::from(learned.contains(&format!("mtu {NARROW}")));
                }
                // Only the sender of the packet.
                ensure!(knowing == 1, "{vip}: {knowing} targets know the MTU");
            }
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}
