//! The program, its pins or its interface are taken away while the agent runs: it attaches again, and
//! says so. What cannot be attached is a warning with the same words everywhere.

use std::{fs, time::Duration};

use crate::{
    scene::{NOTICE_LIMIT, REQUEST_LIMIT, Scene, in_lab, web_at},
    warned::{self, status},
};
use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Host, Lab, Xelb,
    agent::{PIN_DIR, write_configuration},
    http,
    topology::{self, LB_INTERFACE, VIPS},
    wait,
    xdp_pass::XdpPass,
};

/// Waits until both VIPs answer, and the agent has attached so often and warns of nothing.
pub(crate) fn expect_service(lab: &Lab, xelb: &Xelb, reattached: u64) -> anyhow::Result<()> {
    wait::until("the program is attached again", NOTICE_LIMIT, || {
        let status = status(lab, xelb).map_err(|error| error.to_string())?;
        let interface = &status["interfaces"][0];
        let well = interface["mode"] == "native" && interface["reattached_count"] == reattached;
        let kinds = status["warning_details"].to_string();
        if well && !kinds.contains("program_gone") { Ok(()) } else { Err(status.to_string()) }
    })?;
    for vip in VIPS {
        wait::until("the VIP answers", NOTICE_LIMIT, || {
            let answer = lab.client(1).run(move || http::get(web_at(vip), "/", REQUEST_LIMIT));
            answer.map(drop).map_err(|error| error.to_string())
        })
        .with_context(|| format!("{vip}"))?;
    }
    Ok(())
}

/// Gives the balancer's interface another name; it has to be down for that, and loses its routes.
pub(crate) fn rename(lab: &Lab, from: &str, to: &str) -> anyhow::Result<()> {
    lab.lb().ip(&format!("link set {from} down"))?;
    lab.lb().ip(&format!("link set {from} name {to}"))?;
    lab.lb().ip(&format!("link set {to} up"))?;
    lab.lb().ip(&format!("address add fd00::2/64 dev {to} nodad"))?;
    lab.lb().ip("route add default via 10.0.0.1")?;
    lab.lb().ip("-6 route add default via fd00::1")?;
    Ok(())
}

/// Removes the interface of a host to the LAN; its MAC.
pub(crate) fn unplug(host: &Host) -> anyhow::Result<String> {
    let text = host.ip("-br link show eth0")?;
    let mac = text.split_whitespace().nth(2).with_context(|| text.clone())?.to_owned();
    host.ip("link del eth0")?;
    Ok(mac)
}

/// Creates it again, unchanged: with another MAC address, its neighbours would need to resolve it.
pub(crate) fn plug_again(
    lab: &Lab,
    host: &Host,
    mac: &str,
    addresses: &[&str],
) -> anyhow::Result<()> {
    topology::plug(lab.switch(), host, "eth0")?;
    host.ip(&format!("link set eth0 address {mac}"))?;
    topology::address(host, "eth0", addresses)?;
    host.ip("route add default via 10.0.0.1")?;
    host.ip("-6 route add default via fd00::1")?;
    Ok(())
}

#[test]
fn removed_links_and_pins_are_restored() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let configuration = Configuration::everything(Forwarding::Ipip, false, &[1, 2]);
        let scene = Scene::start(lab, &configuration)?;
        let xelb = &scene.xelb;
        expect_service(lab, xelb, 0)?;

        // The link alone, then all pins.
        let pins = || -> anyhow::Result<Vec<std::path::PathBuf>> {
            let entries = fs::read_dir(PIN_DIR)?.collect::<Result<Vec<_>, _>>()?;
            Ok(entries.iter().map(fs::DirEntry::path).collect())
        };
        let all = pins()?.len();
        for path in pins()? {
            if path.display().to_string().contains("link_") {
                fs::remove_file(path)?;
            }
        }
        expect_service(lab, xelb, 1).context("the link was removed")?;
        for path in pins()? {
            fs::remove_file(path)?;
        }
        expect_service(lab, xelb, 2).context("all pins were removed")?;
        ensure!(pins()?.len() == all, "{:?}", pins()?);
        fs::remove_dir_all(PIN_DIR)?;
        expect_service(lab, xelb, 3).context("the folder was removed")?;

        // Renamed: it continues to work, and other changes are applied.
        rename(lab, LB_INTERFACE, "lan0")?;
        expect_warning(lab, xelb, "interface_renamed")?;
        expect_service(lab, xelb, 3).context("renamed")?;
        let applied = status(lab, xelb)?["applied_count"].as_u64();
        write_configuration(lab, &Configuration::everything(Forwarding::Ipip, false, &[2, 1]))?;
        wait::until("another configuration is applied", NOTICE_LIMIT, || {
            let status = status(lab, xelb).map_err(|error| error.to_string())?;
            let taken = status["applied_count"].as_u64() > applied && status["last_error"] == "";
            if taken { Ok(()) } else { Err(status.to_string()) }
        })?;
        rename(lab, "lan0", LB_INTERFACE)?;
        expect_service(lab, xelb, 3).context("renamed back")?;

        // Another interface takes the name.
        rename(lab, LB_INTERFACE, "lan0")?;
        lab.lb().ip("link add eth0 type veth peer name eth0-peer")?;
        wait::until("the warning names both", NOTICE_LIMIT, || {
            let status = status(lab, xelb).map_err(|error| error.to_string())?;
            let details = status["warning_details"].to_string();
            let named = details.contains("interface_renamed") && details.contains("is called lan0");
            if named { Ok(()) } else { Err(details) }
        })?;
        lab.lb().ip("link del eth0")?;
        rename(lab, "lan0", LB_INTERFACE)?;
        warned::expect_end(lab, xelb, "interface_renamed", NOTICE_LIMIT)?;
        expect_service(lab, xelb, 5).context("its name is its own again")?;

        // Gone: a warning, an error of doctor, a metric by kind. Made again: attached again.
        let mac = unplug(lab.lb())?;
        expect_warning(lab, xelb, "program_gone")?;
        let doctor = xelb.command(lab, &["doctor", "-o", "json"])?;
        ensure!(doctor.stdout.contains("\"check\": \"program_gone\""), "{}", doctor.stdout);
        plug_again(lab, lab.lb(), &mac, &["10.0.0.2/24", "fd00::2/64"])?;
        let _pass = XdpPass::attach(lab.switch(), "lb")?;
        xelb.wait_healthy(lab, configuration.target_count(), NOTICE_LIMIT)?;
        expect_service(lab, xelb, 6).context("made again")?;
        let log = fs::read_to_string(lab.log("agent"))?;
        ensure!(log.contains("it is attached again"), "{log}");
        Ok(())
    })
}

/// Waits for a warning of this kind.
fn expect_warning(lab: &Lab, xelb: &Xelb, kind: &str) -> anyhow::Result<()> {
    wait::until(&format!("status warns: {kind}"), NOTICE_LIMIT, || {
        let status = status(lab, xelb).map_err(|error| error.to_string())?;
        let details = status["warning_details"].to_string();
        if details.contains(kind) { Ok(()) } else { Err(details) }
    })?;
    Ok(())
}

/// A target's interface is made again under `xelb decap`.
#[test]
fn the_decapsulator_comes_back() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let configuration = Configuration::everything(Forwarding::Ipip, false, &[1]);
        let scene = Scene::start(lab, &configuration)?;
        let target = lab.target(1);
        let mac = unplug(target)?;
        std::thread::sleep(Duration::from_millis(1500));
        plug_again(lab, target, &mac, &["10.0.0.11/24", "fd00::11/64"])?;
        wait::until("the decapsulator is attached again", NOTICE_LIMIT, || {
            let there = target.has_xdp("eth0").map_err(|error| error.to_string())?;
            if there { Ok(()) } else { Err("not attached".to_owned()) }
        })?;
        scene.xelb.wait_healthy(lab, configuration.target_count(), NOTICE_LIMIT)?;
        expect_service(lab, &scene.xelb, 0)
    })
}
