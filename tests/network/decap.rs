//! `xelb decap`: tunnel packets from others than balancers are dropped and counted; what VIPs it knows.

use std::{fs, net::IpAddr};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Host, Lab, Xelb,
    agent::decap_log,
    load::{Load, Pace},
    process::Task,
    topology::VIPS,
    udp, wait,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::scene::{MODES, NOTICE_LIMIT, Scene, expect_no_failure, in_lab, web_at};

/// Each is one packet.
const QUESTIONS: usize = 24;
/// The longest wait for an answer that does not come.
const SILENCE: std::time::Duration = std::time::Duration::from_millis(100);
/// Where balancers send from by default.
const BALANCERS: [&str; 4] = ["--allow", "172.16.0.0/16", "--allow", "100::/64"];
const SOMEBODY_ELSE: [&str; 4] = ["--allow", "192.0.2.0/24", "--allow", "2001:db8:ee::/48"];

/// How many questions were answered by this target, and how many not at all.
fn ask(client: &Host, vip: IpAddr, target: &'static str) -> (usize, usize) {
    client.run(move || {
        let answers: Vec<_> = (0..QUESTIONS)
            .map(|_| udp::ask((vip, udp::PORT).into(), "who?", SILENCE).ok())
            .collect();
        let by_target = answers.iter().filter(|one| one.as_deref() == Some(target)).count();
        (by_target, answers.iter().filter(|one| one.is_none()).count())
    })
}

#[test]
fn tunnel_packets_of_others_are_dropped_and_counted() -> anyhow::Result<()> {
    for mode in MODES.into_iter().filter(|mode| mode.forwarding.is_tunnel()) {
        in_lab(2, move |lab| {
            let xelb = Xelb::find(None)?;
            let mut strict = xelb.decap_at(lab, lab.target(1), "eth0", &SOMEBODY_ELSE)?;
            let open = xelb.decap_at(lab, lab.target(2), "eth0", &BALANCERS)?;
            let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1, 2]);
            let _scene = Scene::start_with(lab, &everything, vec![open])?;
            let mut refused = 0;
            for vip in VIPS {
                let (answered, silent) = ask(lab.client(1), vip, "t2");
                ensure!(answered > 0 && silent > 0, "{vip}: {answered} answers, {silent} missing");
                ensure!(answered + silent == QUESTIONS, "{vip}: t1 has answered");
                refused += silent;
            }
            strict.stop(NOTICE_LIMIT)?;
            let log = fs::read_to_string(decap_log(lab, lab.target(1), "eth0"))?;
            let counted = format!("counted: outer_source_refused {refused}\n");
            ensure!(log.ends_with(&counted), "not {counted:?}: {log}");
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// How many of these VIPs a decapsulator knows, as its log has it last.
fn known(lab: &Lab, number: u8) -> anyhow::Result<String> {
    let log = fs::read_to_string(decap_log(lab, lab.target(number), "eth0"))?;
    let last = log.lines().rev().find(|line| line.contains("VIPs of tunnel packets"));
    Ok(last.unwrap_or_default().to_owned())
}

fn wait_known(lab: &Lab, number: u8, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    wait::until("the decapsulator knows its VIPs", NOTICE_LIMIT, || {
        let known = known(lab, number).map_err(|error| error.to_string())?;
        if wanted(&known) { Ok(()) } else { Err(known) }
    })?;
    Ok(())
}

/// A prefix that is only a route (AnyIP) is a VIP, from when it comes until it goes.
#[test]
fn local_routes_are_vips() -> anyhow::Result<()> {
    let mode = MODES[0];
    in_lab(2, move |lab| {
        let xelb = Xelb::find(None)?;
        let target = lab.target(1);
        // The VIPs are no addresses any more, and nothing is unwrapped for them.
        for vip in VIPS {
            target.ip(&format!(
                "address del {}/{} dev lo",
                vip,
                if vip.is_ipv4() { 32 } else { 128 }
            ))?;
        }
        let first = xelb.decap(lab, target)?;
        let second = xelb.decap(lab, lab.target(2))?;
        let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1, 2]);
        let _scene = Scene::start_with(lab, &everything, vec![first, second])?;
        let answered = |vip| ask(lab.client(1), vip, "t1").0;
        for vip in VIPS {
            ensure!(answered(vip) == 0, "{vip}: t1 has answered without the VIP");
        }
        let routes = ["203.0.113.0/28", "2001:db8:10::/64"];
        for net in routes {
            target.ip(&format!("route add local {net} dev lo"))?;
        }
        wait_known(lab, 1, |known| routes.iter().all(|net| known.contains(net)))?;
        for vip in VIPS {
            ensure!(answered(vip) > 0, "{vip}: t1 has not answered");
        }
        for net in routes {
            target.ip(&format!("route del local {net} dev lo"))?;
        }
        wait::until("the route is no VIP any more", NOTICE_LIMIT, || {
            let log = fs::read_to_string(decap_log(lab, target, "eth0"));
            let log = log.map_err(|error| error.to_string())?;
            let last = log
                .lines()
                .rev()
                .find(|line| line.contains("VIP") || line.contains("VIPs of tunnel packets"));
            match last {
                Some(line) if line.contains("this host has no VIP") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
        Ok(())
    })
}

/// A copy of the balancer's configuration sets the VIPs and the senders.
#[test]
fn the_balancers_configuration_names_vips_and_senders() -> anyhow::Result<()> {
    let mode = MODES[0];
    in_lab(1, move |lab| {
        let xelb = Xelb::find(None)?;
        let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1]);
        let copy = lab.directory().join("balancer.yaml");
        let text = everything.to_yaml();
        fs::write(&copy, format!("tunnel: {{ source_ipv4: 10.250.0.0/16 }}\n{text}"))?;
        let named = ["--config", copy.to_str().context("a path")?];
        let mut strict = xelb.decap_at(lab, lab.target(1), "eth0", &named)?;
        wait_known(lab, 1, |known| VIPS.iter().all(|vip| known.contains(&vip.to_string())))?;
        // Another VIP is known when it is read again.
        fs::write(&copy, text.replace(&VIPS[0].to_string(), "198.51.100.77"))?;
        strict.signal(Signal::SIGHUP)?;
        wait_known(lab, 1, |known| known.contains("198.51.100.77"))?;
        fs::write(&copy, "interfaces: eth0\n")?;
        strict.signal(Signal::SIGHUP)?;
        wait::until("the error is told", NOTICE_LIMIT, || {
            let log = fs::read_to_string(decap_log(lab, lab.target(1), "eth0"));
            let log = log.map_err(|error| error.to_string())?;
            if log.contains("the old VIPs stay in use") { Ok(()) } else { Err(log) }
        })?;
        // Its balancer sends from elsewhere.
        let scene = Scene::start_with(lab, &everything, vec![])?;
        let (answered, _) = ask(lab.client(1), VIPS[0], "t1");
        ensure!(answered == 0, "{answered} answers to packets of another balancer");
        strict.stop(NOTICE_LIMIT)?;
        fs::write(&copy, text)?;
        let _open = xelb.decap_at(lab, lab.target(1), "eth0", &named)?;
        for vip in VIPS {
            ensure!(ask(lab.client(1), vip, "t1").0 == QUESTIONS, "{vip}: an answer is missing");
        }
        drop(scene);
        Ok(())
    })
}

const DESCRIPTOR_STORE: &str = include_str!("descriptor_store.py");

/// The service manager keeps the link while the unit restarts: the program before unwraps until the next
/// one takes its place.
#[test]
fn a_restart_of_the_service_loses_no_packet() -> anyhow::Result<()> {
    let mode = MODES[0];
    in_lab(1, move |lab| {
        let xelb = Xelb::find(None)?;
        let target = lab.target(1);
        let log = decap_log(lab, target, "eth0");
        let store = lab.directory().join("notify").display().to_string();
        let program = xelb.program().display().to_string();
        let arguments = ["-c", DESCRIPTOR_STORE, &store, &program, "decap", "--interface", "eth0"];
        let service = target.spawn(Task::new("python3", &arguments).log_to(&log)?)?;
        let told = |text: &str, times: usize| {
            wait::until(text, NOTICE_LIMIT, || {
                let log = fs::read_to_string(&log).map_err(|error| error.to_string())?;
                let found = log.matches(text).count();
                if found >= times { Ok(()) } else { Err(format!("{found} times")) }
            })
        };
        told("kept xdp-", 1)?;
        let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1]);
        let _scene = Scene::start_with(lab, &everything, vec![])?;
        let load = Load::start(&[(lab.client(1), web_at(VIPS[0]))], Pace::default())?;
        for restarts in 1..=3 {
            kill(Pid::from_raw(i32::try_from(service.pid())?), Signal::SIGUSR1)?;
            told("taken over from the decapsulator before", restarts)?;
            told("kept xdp-", restarts + 1)?;
        }
        let samples = load.finish();
        expect_no_failure(&samples, 30);
        // A lost packet would be sent again after 200 ms, a lost SYN after a second.
        let slowest = samples.0.iter().map(|sample| sample.took).max().unwrap_or_default();
        ensure!(slowest.as_millis() < 900, "a request took {slowest:?}");
        Ok(())
    })
}
