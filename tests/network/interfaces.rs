//! Targets behind another interface of the balancer and behind routers, and routes that change.

use std::{net::IpAddr, thread, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Host, Lab, Xelb, http,
    topology::{LAN_MTU, VIPS, address, connect, plug},
    wait,
    xdp_pass::XdpPass,
};

use crate::{
    scene::{MODES, NOTICE_LIMIT, REQUEST_LIMIT, Scene, expect_no_failure, in_lab, load, web_at},
    transfer::{download, upload},
};

/// How long each way is watched under load.
const WATCH: Duration = Duration::from_millis(700);

/// Connects a target with an interface of its own, `eth1`, to the balancer's `eth1`; both families.
pub(crate) fn connect_beside(lab: &Lab, target: u8) -> anyhow::Result<[IpAddr; 2]> {
    connect(lab.lb(), "eth1", lab.target(target), "eth1", LAN_MTU)?;
    address(lab.lb(), "eth1", &["10.0.9.1/24", "fd00:9::1/64"])?;
    address(lab.target(target), "eth1", &["10.0.9.11/24", "fd00:9::11/64"])?;
    Ok(["10.0.9.11".parse()?, "fd00:9::11".parse()?])
}

/// Packets that an interface has received.
fn received(host: &Host, interface: &str) -> anyhow::Result<u64> {
    let text = host.ip(&format!("-s -j link show {interface}"))?;
    let links: serde_json::Value = serde_json::from_str(&text)?;
    links[0]["stats64"]["rx"]["packets"].as_u64().with_context(|| text)
}

/// Clients at one interface, targets at another, which is not among the configured ones.
#[test]
fn packets_leave_by_another_interface() -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(1, move |lab| {
            let [v4, v6] = connect_beside(lab, 1)?;
            let mut configuration = Configuration::everything(mode.forwarding, mode.crossed, &[]);
            for group in &mut configuration.groups {
                let is_v4 = group.name.ends_with("v4") != mode.crossed;
                group.others.push(if is_v4 { v4 } else { v6 });
            }
            let (mut decaps, mut pass) = (Vec::new(), None);
            if mode.forwarding.is_tunnel() {
                decaps.push(Xelb::find(None)?.decap_at(lab, lab.target(1), "eth1", &[])?);
            } else {
                // As in the lab: a veth needs a program at the far end of a redirect.
                pass = Some(XdpPass::attach(lab.target(1), "eth1")?);
            }
            let _scene = Scene::start_with(lab, &configuration, decaps)?;
            for vip in VIPS {
                let before = received(lab.target(1), "eth1")?;
                upload(lab, vip).with_context(|| format!("{vip}"))?;
                download(lab, vip).with_context(|| format!("{vip}"))?;
                let packets = received(lab.target(1), "eth1")? - before;
                ensure!(packets > 6_000, "{vip}: {packets} packets at eth1");
            }
            drop(pass);
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// A router between the LAN and a network that only t3's `interface` is in.
fn router_to_t3(lab: &Lab, name: &str, number: u8, interface: &str) -> anyhow::Result<Host> {
    let router = lab.host(name)?;
    plug(lab.switch(), &router, "lan")?;
    address(&router, "lan", &[&format!("10.0.0.{number}/24")])?;
    router.set("net/ipv4/ip_forward", "1")?;
    connect(&router, "far", lab.target(3), interface, LAN_MTU)?;
    address(&router, "far", &[&format!("10.0.8{number}.1/24")])?;
    address(lab.target(3), interface, &[&format!("10.0.8{number}.2/24")])?;
    router.ip(&format!("route add 10.0.8.13/32 via 10.0.8{number}.2"))?;
    Ok(router)
}

/// One group: t1 on the LAN, t2 at another interface, t3 behind a router, then behind another one,
/// then behind its own address on the LAN. No request fails.
#[test]
fn route_changes_lose_no_connection() -> anyhow::Result<()> {
    for forwarding in [Forwarding::Ipip, Forwarding::Gue { variant: 1 }] {
        in_lab(3, move |lab| {
            let (xelb, lb) = (Xelb::find(None)?, lab.lb());
            let [beside, _] = connect_beside(lab, 2)?;
            let near = router_to_t3(lab, "near", 3, "eth1")?;
            let next = router_to_t3(lab, "next", 4, "eth2")?;
            address(lab.target(3), "lo", &["10.0.8.13/32"])?;
            lb.ip("route add 10.0.8.13/32 via 10.0.0.3")?;
            // The kernel has to resolve both gateways first: the previous next hop is used
            // meanwhile.
            for gateway in ["10.0.0.4", "10.0.0.13"] {
                ensure!(!lb.ip("neigh")?.contains(&format!("{gateway} ")), "{gateway} is known");
            }
            let decaps = [(1, "eth0"), (2, "eth1"), (3, "eth0"), (3, "eth1"), (3, "eth2")]
                .map(|(target, interface)| xelb.decap_at(lab, lab.target(target), interface, &[]))
                .into_iter()
                .collect::<Result<_, _>>()?;
            let mut configuration = Configuration::web(forwarding, &[1]);
            configuration.groups[0].others = vec![beside, "10.0.8.13".parse()?];
            let _scene = Scene::start_with(lab, &configuration, decaps)?;

            let load = load(lab)?;
            thread::sleep(WATCH);
            for (gateway, host, interface) in
                [("10.0.0.4", &next, "lan"), ("10.0.0.13", lab.target(3), "eth0")]
            {
                lb.ip(&format!("route replace 10.0.8.13/32 via {gateway}"))?;
                let before = received(host, interface)?;
                wait::until("packets take the other way", NOTICE_LIMIT, || {
                    match received(host, interface) {
                        Ok(now) if now > before + 50 => Ok(()),
                        Ok(now) => Err(format!("{} packets", now - before)),
                        Err(error) => Err(error.to_string()),
                    }
                })?;
                thread::sleep(WATCH);
            }
            // Nothing goes by the first way any more.
            near.ip("link set far down")?;
            thread::sleep(WATCH);
            let samples = load.finish();
            expect_no_failure(&samples, 500);
            ensure!(samples.by_target().len() == 3, "{:?}", samples.by_target());
            Ok(())
        })
        .with_context(|| format!("in mode {forwarding}"))?;
    }
    Ok(())
}

/// On the same link, the target's MAC address changes with its interface: the next packet goes to
/// the new one as soon as the kernel knows it.
#[test]
fn a_target_moves_to_another_mac_address() -> anyhow::Result<()> {
    for forwarding in [Forwarding::Ipip, Forwarding::L2dsr] {
        in_lab(1, move |lab| {
            let mut configuration = Configuration::web(forwarding, &[1]);
            configuration.listeners.truncate(1);
            let _scene = Scene::start(lab, &configuration)?;
            let get = || http::get(web_at(VIPS[0]), "/", REQUEST_LIMIT);
            lab.client(1).run(get)?;
            let target = lab.target(1);
            // As a host that takes an address over does (RFC 5227): it announces it.
            target.set("net/ipv4/conf/eth0/arp_notify", "1")?;
            target.ip("link set eth0 address 02:00:00:00:77:01")?;
            let short = Duration::from_millis(200);
            wait::until("the VIP answers again", NOTICE_LIMIT, || {
                let answer = lab.client(1).run(move || http::get(web_at(VIPS[0]), "/", short));
                answer.map(drop).map_err(|error| error.to_string())
            })?;
            Ok(())
        })
        .with_context(|| format!("in mode {forwarding}"))?;
    }
    Ok(())
}
