//! Starting, stopping, taking over; drains; health; interfaces; detaching.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Result, ensure};
use lb_tests::{
    agent::{PIN_DIR, SOCKET, configuration_path},
    http,
    topology::VIP_V4,
};
use nix::sys::signal::Signal;

use crate::scene::{
    LIMIT, WEB, in_lab, is_pinned, json, run, says, start, start_web, tables, wait_json, write,
};

const SECOND: Duration = Duration::from_secs(1);

/// What a restart must not change: the state of targets may, their ring may not.
fn ring_of_web() -> Result<Vec<u16>> {
    let tables = tables()?;
    let slots = tables.groups.values().flat_map(|group| group.slots.iter());
    Ok(slots.map(|slot| slot.current).collect())
}

#[test]
fn the_data_path_outlives_the_agent_and_is_taken_over() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start_web(lab, xelb)?;
        let before = tables()?;
        let ids = json(lab, xelb, "get targets")?;
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            agent.signal(signal)?;
            let ended = agent.wait(LIMIT)?;
            ensure!(ended.success() == (signal == Signal::SIGTERM), "{signal}: {ended}");
            ensure!(lab.lb().has_xdp("eth0")?, "{signal}: the program is gone");
            ensure!(tables()? == before, "{signal}: the maps have changed");
            agent = xelb.agent(lab)?;
            let now = json(lab, xelb, "get targets")?;
            for (old, new) in
                ids.as_array().into_iter().flatten().zip(now.as_array().into_iter().flatten())
            {
                ensure!(old["id"] == new["id"] && new["state"] == "healthy", "{old} became {new}");
            }
            ensure!(tables()? == before, "{signal}: taking over has changed the maps");
            let status = json(lab, xelb, "status")?;
            ensure!(
                status["interfaces"][0]["reason"] == "taken over from the agent before",
                "{status}"
            );
        }
        Ok(())
    })
}

#[test]
fn detach_removes_everything_and_only_it_does() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start_web(lab, xelb)?;
        agent.stop(LIMIT)?;
        ensure!(is_pinned(), "the pins are gone");
        let said = run(lab, xelb, &["detach", "--bpffs", PIN_DIR])?.success()?;
        ensure!(said.contains("is removed"), "{said}");
        ensure!(!is_pinned() && !lab.lb().has_xdp("eth0")?, "something is left");
        let said = run(lab, xelb, &["detach", "--bpffs", PIN_DIR])?.success()?;
        ensure!(said.contains("nothing is pinned"), "{said}");
        Ok(())
    })
}

#[test]
fn a_drain_is_an_override_that_survives_the_agent() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start_web(lab, xelb)?;
        let said = says(lab, xelb, "target drain web 10.0.0.12")?;
        ensure!(said.contains("web/10.0.0.12:80 is draining"), "{said}");
        let drained = |answer: &serde_json::Value| {
            answer[1]["state"] == "draining"
                && answer[1]["drained"] == true
                && answer[1]["share"] == 0.0
                && answer[1]["reason"] == "Target.DeregistrationInProgress"
        };
        wait_json(lab, xelb, "get targets", drained)?;
        let owners: BTreeSet<u16> = ring_of_web()?.into_iter().collect();
        ensure!(owners.len() == 1, "owners {owners:?}");
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        let _agent = xelb.agent(lab)?;
        wait_json(lab, xelb, "get targets", drained)?;
        says(lab, xelb, "target undrain web 10.0.0.12")?;
        wait_json(lab, xelb, "get targets", |answer| {
            answer[1]["state"] == "healthy" && answer[1]["drained"] == false
        })?;
        let owners: BTreeSet<u16> = ring_of_web()?.into_iter().collect();
        ensure!(owners.len() == 2, "owners {owners:?}");
        Ok(())
    })
}

#[test]
fn all_unhealthy_fails_open_and_says_so() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start_web(lab, xelb)?;
        lab.kill_web_server(1);
        lab.kill_web_server(2);
        let groups =
            wait_json(lab, xelb, "get target-groups", |answer| answer[0]["fail_open"] == true)?;
        ensure!(groups[0]["healthy"] == 0, "{groups}");
        let status = json(lab, xelb, "status")?;
        let warnings = status["warnings"].to_string();
        ensure!(warnings.contains("failing open"), "{warnings}");
        let owners: BTreeSet<u16> = ring_of_web()?.into_iter().collect();
        ensure!(owners.len() == 2 && !owners.contains(&0), "owners {owners:?}");
        let table = says(lab, xelb, "get target-groups")?;
        ensure!(table.contains("FAIL OPEN"), "{table}");
        let targets = json(lab, xelb, "get targets")?;
        ensure!(targets[0]["reason"] == "Target.FailedHealthChecks", "{targets}");
        lab.restart_web_server(1)?;
        wait_json(lab, xelb, "get target-groups", |answer| answer[0]["fail_open"] == false)?;
        let owners: BTreeSet<u16> = ring_of_web()?.into_iter().collect();
        ensure!(owners.len() == 1, "owners {owners:?}");
        Ok(())
    })
}

#[test]
fn a_target_gets_no_traffic_before_its_first_success() -> Result<()> {
    in_lab(|lab, xelb| {
        // Nobody listens there, and ten failures are needed for a verdict.
        let slow = WEB.replace("interval: 200ms", "port: 9, interval: 2s, unhealthy_threshold: 10");
        write(lab, &slow)?;
        let _agent = xelb.agent(lab)?;
        std::thread::sleep(SECOND);
        let targets = json(lab, xelb, "get targets")?;
        ensure!(targets[0]["state"] == "initial" && targets[0]["share"] == 0.0, "{targets}");
        ensure!(targets[0]["reason"] == "Elb.InitialHealthChecking", "{targets}");
        let owners: BTreeSet<u16> = ring_of_web()?.into_iter().collect();
        ensure!(owners == [0].into(), "owners {owners:?}");
        let vip = (VIP_V4, 80).into();
        let refused = lab.client(1).run(move || http::get(vip, "/", SECOND).is_err());
        ensure!(refused, "a request was answered");
        let stats = json(lab, xelb, "stats")?;
        let drops = stats["drops"].as_array().into_iter().flatten();
        let no_target = drops.filter(|drop| drop["reason"] == "no_target" && drop["packets"] != 0);
        ensure!(no_target.count() == 1, "{stats}");
        Ok(())
    })
}

#[test]
fn interfaces_come_and_go_by_reload_and_groups_may_be_unused() -> Result<()> {
    in_lab(|lab, xelb| {
        lab.lb().ip("link add second type veth peer name second-peer")?;
        lab.lb().ip("link set second up")?;
        let _agent = start_web(lab, xelb)?;
        let unused = "  - { name: idle, protocol: tcp, port: 81, forwarding: ipip, targets: [{ address: \
                      10.0.0.11 }] }\nlisteners:";
        write(lab, &WEB.replace("[eth0]", "[eth0, second]").replace("listeners:", unused))?;
        let status =
            wait_json(lab, xelb, "status", |status| status["interfaces"][1]["name"] == "second")?;
        ensure!(lab.lb().has_xdp("second")?, "{status}");
        let targets = json(lab, xelb, "get targets")?;
        // It is checked, so that a listener can be led there, and takes nothing.
        ensure!(targets[2]["state"] != "unused" && targets[2]["share"] == 0.0, "{targets}");
        // As editors do it: a new file takes the old one's place.
        let draft = configuration_path(lab).with_extension("draft");
        fs::write(&draft, WEB)?;
        fs::rename(&draft, configuration_path(lab))?;
        wait_json(lab, xelb, "status", |status| status["interfaces"][1].is_null())?;
        ensure!(!lab.lb().has_xdp("second")? && lab.lb().has_xdp("eth0")?, "wrong attachments");
        ensure!(
            json(lab, xelb, "get targets")?.as_array().map(Vec::len) == Some(2),
            "targets stay"
        );
        Ok(())
    })
}

#[test]
fn generic_mode_causes_a_warning() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, WEB)?;
        let path = configuration_path(lab).display().to_string();
        let arguments = [
            "agent",
            "--config",
            &path,
            "--bpffs",
            PIN_DIR,
            "--socket",
            SOCKET,
            "--xdp-mode",
            "generic",
        ]
        .map(str::to_owned);
        let _agent = start(lab, xelb, &arguments)?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["interfaces"][0]["mode"] == "generic", "{status}");
        let warnings = status["warnings"].to_string();
        ensure!(warnings.contains("interface eth0: XDP runs in generic mode"), "{warnings}");
        let log = fs::read_to_string(lab.log("agent"))?;
        ensure!(log.contains("GENERIC"), "{log}");
        Ok(())
    })
}
