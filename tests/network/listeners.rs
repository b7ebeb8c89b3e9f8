//! Listeners on ranges of ports, on all ports and on prefixes: what is inside arrives, what is
//! outside does not, although every target would answer it.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Lab, Process, Xelb,
    configuration::{Group, Listener, TargetFamily},
    greeter::{self, BannerServer},
    udp::{self, Responder},
};

use serde_json::Value;

use crate::scene::{REQUEST_LIMIT, Scene, in_lab};

/// Addresses that every target has, and that the router sends to the balancer.
const PREFIXES: [&str; 2] = ["203.0.113.0/24", "2001:db8:10::/48"];
/// What every target listens on; 80 is the web server's.
const TCP_PORTS: &[u16] = &[1, 79, 7999, 8000, 8050, 8099, 8100, 65535];
const UDP_ADDRESSES: [&str; 5] = [
    "203.0.113.20:5999",
    "203.0.113.20:6000",
    "203.0.113.20:6009",
    "203.0.113.20:6010",
    "[2001:db8:10:9::1]:6005",
];
/// The longest wait for an answer that does not come.
const SILENCE: Duration = Duration::from_millis(150);
/// Requests to one address; both targets have some, but once in a million runs.
const REQUESTS: usize = 20;

const TCP_INSIDE: [&str; 11] = [
    // A range.
    "203.0.113.20:8000",
    "203.0.113.20:8050",
    "203.0.113.20:8099",
    "[2001:db8:10::20]:8000",
    "[2001:db8:10::20]:8099",
    // All ports.
    "203.0.113.21:1",
    "203.0.113.21:8100",
    "203.0.113.21:65535",
    // Prefixes.
    "203.0.113.32:79",
    "203.0.113.47:79",
    "[2001:db8:10:1:ffff::1]:79",
];
const TCP_OUTSIDE: [&str; 9] = [
    "203.0.113.20:7999",
    "203.0.113.20:8100",
    "203.0.113.20:1",
    "[2001:db8:10::20]:8100",
    "203.0.113.22:8000",
    "203.0.113.31:79",
    "203.0.113.48:79",
    "203.0.113.40:1",
    "[2001:db8:10:2::1]:79",
];
const UDP_INSIDE: [&str; 3] = ["203.0.113.20:6000", "203.0.113.20:6009", "[2001:db8:10:9::1]:6005"];
const UDP_OUTSIDE: [&str; 2] = ["203.0.113.20:5999", "203.0.113.20:6010"];

fn configuration(forwarding: Forwarding) -> Configuration {
    let mut configuration = Configuration::default();
    for (name, protocol, address, port, first) in [
        ("range-v4", "tcp", "203.0.113.20", "8000-8099", 8000),
        ("range-v6", "tcp", "2001:db8:10::20", "8000-8099", 8000),
        ("all", "tcp", "203.0.113.21", "all", 80),
        ("prefix-v4", "tcp", "203.0.113.32/28", "79", 79),
        ("prefix-v6", "tcp", "2001:db8:10:1::/64", "79", 79),
        // The address of the range, by another protocol.
        ("datagrams", "udp", "203.0.113.20", "6000-6009", 6000),
        ("datagrams-v6", "udp", "2001:db8:10:9::/64", "all", 6000),
    ] {
        let family = if address.contains(':') { TargetFamily::V6 } else { TargetFamily::V4 };
        let group = Group::new(name, protocol, first, forwarding).with(&[1, 2]);
        configuration.groups.push(Group { family, ..group });
        configuration.listeners.push(Listener {
            name: name.to_owned(),
            address: address.to_owned(),
            port: port.to_owned(),
            group: name.to_owned(),
        });
    }
    configuration
}

/// Lets every target answer everything, and the router send all of it to the balancer.
fn prepare(lab: &Lab) -> anyhow::Result<(Vec<BannerServer>, Vec<Responder>)> {
    for prefix in PREFIXES {
        let (family, gateway) =
            if prefix.contains(':') { ("-6", "fd00::2") } else { ("-4", "10.0.0.2") };
        lab.router().ip(&format!("{family} route add {prefix} via {gateway}"))?;
        for target in lab.targets() {
            target.ip(&format!("{family} route add local {prefix} dev lo"))?;
        }
    }
    for target in lab.targets() {
        // A local route is enough for a datagram, but not for a socket.
        target.set("net/ipv6/ip_nonlocal_bind", "1")?;
    }
    let addresses = parse(&UDP_ADDRESSES)?;
    let targets = lab.targets().iter();
    let responders = targets.clone().map(|target| Responder::start_at(target, &addresses));
    let greeters = targets.map(|target| BannerServer::start(target, TCP_PORTS));
    Ok((greeters.collect::<Result<_, _>>()?, responders.collect::<Result<_, _>>()?))
}

fn parse(addresses: &[&str]) -> anyhow::Result<Vec<SocketAddr>> {
    addresses.iter().map(|one| one.parse().with_context(|| (*one).to_owned())).collect()
}

/// All addresses inside answer, none outside.
fn check(
    lab: &Lab,
    ask: fn(SocketAddr, Duration) -> std::io::Result<String>,
    inside: &[&str],
    outside: &[&str],
) -> anyhow::Result<()> {
    for address in parse(inside)? {
        let names = lab.client(1).run(move || {
            let answers = (0..REQUESTS).map(|_| ask(address, REQUEST_LIMIT));
            answers.collect::<std::io::Result<BTreeSet<_>>>()
        });
        let names = names.with_context(|| format!("asking {address}"))?;
        ensure!(names.iter().eq(["t1", "t2"]), "{address}: answers of {names:?}");
    }
    for address in parse(outside)? {
        let answer = lab.client(1).run(move || ask(address, SILENCE));
        ensure!(answer.is_err(), "{address} is no listener's: {answer:?}");
    }
    Ok(())
}

/// `stats` and `explain` know listeners that are not exact, too.
fn are_counted_and_named(lab: &Lab, scene: &Scene) -> anyhow::Result<()> {
    let json = |arguments: &[&str]| -> anyhow::Result<Value> {
        let text = scene.xelb.command(lab, arguments)?.success()?;
        Ok(serde_json::from_str(&text)?)
    };
    let stats = json(&["stats", "-o", "json"])?;
    let listeners = stats["listeners"].as_array().context("listeners")?;
    ensure!(listeners.len() == 7, "{listeners:?}");
    for listener in listeners {
        ensure!(listener["packets"].as_u64() >= Some(REQUESTS as u64), "{listener}");
    }
    for (to, name) in [("203.0.113.21:8100", "all"), ("203.0.113.32:79", "prefix-v4")] {
        let explained = json(&["explain", "--from", "10.1.1.2:4000", "--to", to, "-o", "json"])?;
        ensure!(explained["listener"] == name, "{to}: {explained}");
    }
    Ok(())
}

fn ask_udp(address: SocketAddr, limit: Duration) -> std::io::Result<String> {
    udp::ask(address, "who?", limit)
}

/// Targets have the VIPs as local routes, so the decapsulator needs --vip.
fn decaps(lab: &Lab, forwarding: Forwarding) -> anyhow::Result<Vec<Process>> {
    let xelb = Xelb::find(None)?;
    let vips: Vec<&str> = PREFIXES.iter().flat_map(|prefix| ["--vip", prefix]).collect();
    let tunnels = lab.targets().iter().filter(|_| forwarding.is_tunnel());
    let decaps = tunnels.map(|target| xelb.decap_at(lab, target, "eth0", &vips));
    Ok(decaps.collect::<Result<_, _>>()?)
}

#[test]
fn ranges_all_ports_and_prefixes_have_their_borders() -> anyhow::Result<()> {
    for forwarding in [Forwarding::Ipip, Forwarding::Gue { variant: 1 }, Forwarding::L2dsr] {
        in_lab(2, move |lab| {
            let _services = prepare(lab)?;
            // Without the balancer between, every target answers all of it: nothing below is
            // silent for another reason.
            let via = lab.router().ip("route replace 203.0.113.0/24 via 10.0.0.11")?;
            for address in parse(&TCP_OUTSIDE)?.into_iter().filter(SocketAddr::is_ipv4) {
                let name = lab.client(1).run(move || greeter::ask(address, REQUEST_LIMIT));
                ensure!(name.as_deref().ok() == Some("t1"), "{address}: {name:?} {via}");
            }
            lab.router().ip("route replace 203.0.113.0/24 via 10.0.0.2")?;
            let scene =
                Scene::start_with(lab, &configuration(forwarding), decaps(lab, forwarding)?)?;
            check(lab, greeter::ask, &TCP_INSIDE, &TCP_OUTSIDE)?;
            check(lab, ask_udp, &UDP_INSIDE, &UDP_OUTSIDE)?;
            are_counted_and_named(lab, &scene)
        })
        .with_context(|| format!("in mode {forwarding}"))?;
    }
    Ok(())
}
