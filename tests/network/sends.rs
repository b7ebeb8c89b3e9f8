//! Whether frames that XDP sends leave: next hops that take no redirect, veth pairs whose other end has no
//! program, checksums that are left to a device. Each is named, by `get`, `status` and `doctor`, with what helps.

use std::{net::IpAddr, thread, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Lab, Xelb,
    agent::write_configuration,
    configuration::Group,
    http,
    process::Finished,
    topology::{LAN_MTU, VIPS, address, connect},
    wait, web,
};
use serde_json::Value;

use crate::scene::{NOTICE_LIMIT, REQUEST_LIMIT, Scene, in_lab, web_at};

/// The address of the target at the balancer's second interface.
const BESIDE: [u8; 4] = [10, 0, 9, 11];

/// One l2dsr group with t1, by its address behind another interface than clients' packets come in by. In
/// this mode the target runs no program.
fn beside(lab: &Lab, interface: &str) -> anyhow::Result<Configuration> {
    address(lab.lb(), interface, &["10.0.9.1/24"])?;
    lab.target(1).ip("address add 10.0.9.11/24 dev eth1")?;
    let mut configuration = Configuration::web(Forwarding::L2dsr, &[]);
    configuration.listeners.truncate(1);
    configuration.groups[0].others = vec![IpAddr::from(BESIDE)];
    write_configuration(lab, &configuration)?;
    Ok(configuration)
}

/// One l2dsr group with t1, behind the IPv4 VIP.
fn web_v4() -> Configuration {
    let mut configuration = Configuration::web(Forwarding::L2dsr, &[1]);
    configuration.listeners.truncate(1);
    configuration
}

/// Waits until what a command prints has all of these words.
fn expect(lab: &Lab, xelb: &Xelb, command: &[&str], words: &[&str]) -> anyhow::Result<()> {
    let what = format!("`xelb {}` says {words:?}", command.join(" "));
    wait::until(&what, NOTICE_LIMIT, || {
        let Finished { stdout, stderr, .. } =
            xelb.command(lab, command).map_err(|error| error.to_string())?;
        let said = words.iter().all(|word| stdout.contains(word));
        if said { Ok(()) } else { Err(format!("{stdout}{stderr}")) }
    })?;
    Ok(())
}

fn expect_answer(lab: &Lab) -> anyhow::Result<()> {
    wait::until("the VIP answers", NOTICE_LIMIT, || {
        let get = || http::get(web_at(VIPS[0]), "/", REQUEST_LIMIT);
        lab.client(1).run(get).map(drop).map_err(|error| error.to_string())
    })?;
    Ok(())
}

/// Kinds and subjects of the warnings of `xelb status`.
fn warnings(lab: &Lab, xelb: &Xelb) -> anyhow::Result<Vec<(String, String)>> {
    let text = xelb.command(lab, &["status", "-o", "json"])?.success()?;
    let answer: Value = serde_json::from_str(&text)?;
    let details = answer["warning_details"].as_array().context("no warning_details")?;
    let text = |detail: &Value, key: &str| detail[key].as_str().unwrap_or_default().to_owned();
    Ok(details.iter().map(|detail| (text(detail, "kind"), text(detail, "subject"))).collect())
}

#[test]
fn a_next_hop_that_takes_no_redirect_is_refused_by_name() -> anyhow::Result<()> {
    for (kind, make) in [
        ("bridge", &["link add name x0 type bridge", "link set eth1 master x0"][..]),
        ("macvlan", &["link add link eth1 name x0 type macvlan mode bridge"]),
    ] {
        in_lab(1, move |lab| {
            let xelb = Xelb::find(None)?;
            connect(lab.lb(), "eth1", lab.target(1), "eth1", LAN_MTU)?;
            for words in make {
                lab.lb().ip(words)?;
            }
            lab.lb().ip("link set x0 up")?;
            let mut configuration = beside(lab, "x0")?;
            let mut agent = xelb.agent(lab)?;
            let name = format!(
                "interface x0 ({kind}) does not send packets that native XDP \
                                redirects"
            );
            let words = [name.as_str(), "--xdp-mode generic"];
            expect(lab, &xelb, &["get", "targets", "-o", "json"], &words)?;
            expect(lab, &xelb, &["status"], &words)?;
            expect(lab, &xelb, &["doctor", "-o", "json"], &["\"next_hop\"", &name])?;
            agent.stop(NOTICE_LIMIT)?;

            // The second remedy that it names.
            let mut agent = xelb.agent_in_mode(lab, "generic")?;
            expect_answer(lab)?;
            agent.stop(NOTICE_LIMIT)?;
            xelb.detach(lab)?;

            // With a program in its stack it takes no more of what the driver of eth0 redirects.
            configuration.top.push("interfaces: [eth0, x0]".to_owned());
            write_configuration(lab, &configuration)?;
            let mut agent = xelb.agent_in_mode(lab, "auto")?;
            expect(lab, &xelb, &["status"], &["eth0 (native", "x0 (generic"])?;
            expect(lab, &xelb, &["status"], &words)?;
            agent.stop(NOTICE_LIMIT)?;
            Ok(())
        })
        .with_context(|| format!("over a {kind}"))?;
    }
    Ok(())
}

#[test]
fn a_veth_without_a_program_at_its_other_end_is_refused_until_there_is_one() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let xelb = Xelb::find(None)?;
        connect(lab.lb(), "eth1", lab.target(1), "eth1", LAN_MTU)?;
        beside(lab, "eth1")?;
        let _agent = xelb.agent(lab)?;
        let words = ["the peer of eth1 (veth) has no XDP program", "xelb pass --interface PEER"];
        expect(lab, &xelb, &["get", "targets", "-o", "json"], &words)?;
        // The kernel tells of the program, and the target is used at once.
        let mut pass = xelb.pass(lab, lab.target(1), "eth1")?;
        expect_answer(lab)?;
        pass.stop(NOTICE_LIMIT)?;
        expect(lab, &xelb, &["get", "targets", "-o", "json"], &words)
    })
}

/// A second interface for clients' packets, with and without a program at its other end.
#[test]
fn an_ingress_veth_without_a_program_is_generic_or_named() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let xelb = Xelb::find(None)?;
        connect(lab.lb(), "eth1", lab.target(1), "eth1", LAN_MTU)?;
        address(lab.lb(), "eth1", &["10.0.9.1/24"])?;
        address(lab.target(1), "eth1", &["10.0.9.11/24"])?;
        let mut configuration = web_v4();
        let ping: IpAddr = [203, 0, 113, 77].into();
        let group = Group::new("ping", "tcp", web::PORT, Forwarding::L2dsr).with(&[1]);
        configuration.add(ping, group);
        configuration.top.push("interfaces: [eth0, eth1]".to_owned());
        write_configuration(lab, &configuration)?;
        lab.target(1).ip("route add 203.0.113.77/32 via 10.0.9.1")?;

        let mut agent = xelb.agent_in_mode(lab, "auto")?;
        let text = xelb.command(lab, &["status", "-o", "json"])?.success()?;
        let status: Value = serde_json::from_str(&text)?;
        let modes: Vec<_> = [0, 1].iter().map(|one| &status["interfaces"][one]["mode"]).collect();
        ensure!(modes == ["native", "generic"], "{text}");
        ensure!(text.contains("the peer of eth1 (veth) has no XDP program"), "{text}");
        let words = ["-c", "1", "-W", "2", "203.0.113.77"];
        lab.target(1).command("ping", &words, NOTICE_LIMIT)?;
        agent.stop(NOTICE_LIMIT)?;

        let _agent = xelb.agent(lab)?;
        expect(lab, &xelb, &["status"], &["eth1 (veth) has no XDP program", "xelb pass"])?;
        let said = ["\"error\"", "\"xdp_driver\"", "\"far_end_without_program\"", "xelb pass"];
        expect(lab, &xelb, &["doctor", "-o", "json"], &said)?;
        // What is lost is counted by the driver, and said.
        let lost = lab.target(1).command("ping", &words, NOTICE_LIMIT);
        ensure!(lost.is_err(), "{lost:?}");
        expect(
            lab,
            &xelb,
            &["status"],
            &["frames that XDP sent at eth1 were lost", "xdp_tx_errors"],
        )?;

        lab.target(1).words("ethtool", "-K eth1 gro on")?;
        expect(lab, &xelb, &["status"], &["GRO but no XDP program", "for good"])?;
        let _pass = xelb.pass(lab, lab.target(1), "eth1")?;
        wait::until("the warning is gone", NOTICE_LIMIT, || {
            let said = warnings(lab, &xelb).map_err(|error| error.to_string())?;
            let there = said.iter().any(|(kind, _)| kind == "far_end_without_program");
            if there { Err(format!("{said:?}")) } else { Ok(()) }
        })?;
        lab.target(1).command("ping", &words, NOTICE_LIMIT)?;
        Ok(())
    })
}

/// Hosts of one machine leave checksums to devices that are none: answers to health checks show it.
#[test]
fn checksums_that_are_left_to_a_device_are_named() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let scene = Scene::start(lab, &web_v4())?;
        thread::sleep(Duration::from_secs(4));
        let said = warnings(lab, &scene.xelb)?;
        ensure!(said.is_empty(), "all checksums are there: {said:?}");
        lab.target(1).words("ethtool", "-K eth0 tx on")?;
        lab.switch().words("ethtool", "-K lb tx on")?;
        let words =
            ["packets come to eth0 (veth) with unfinished checksums", "ethtool -K PEER tx off"];
        expect(lab, &scene.xelb, &["status"], &words)?;
        expect(lab, &scene.xelb, &["doctor", "-o", "json"], &["\"partial_checksums\"", words[0]])
    })
}
