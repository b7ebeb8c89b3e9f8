//! Health checks with `via: tunnel`: they find black holes, which other checks do not, and they
//! leave nothing behind on the balancer.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Lab, Process, Xelb,
    agent::write_configuration,
    configuration::Group,
    topology::{VIP_V4, VIP_V6, target_v4, target_v6},
    wait, web,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scene::{MODES, Mode, NOTICE_LIMIT, Scene, in_lab};

const VICTIM: u8 = 2;
/// Two checks of 200 ms, the last with its time-out, jitter, and a busy machine.
const DETECTION_LIMIT: Duration = Duration::from_secs(2);
/// Several checks.
const WATCH: Duration = Duration::from_secs(1);
/// The group whose checks go to the address of its targets.
const PLAIN: &str = "plain";
const DEVICE: &str = "xelb-probe";

/// All services behind both VIPs, checked through the tunnel, and a group that is not.
fn configuration(forwarding: Forwarding, crossed: bool) -> Configuration {
    let mut all = Configuration::everything(forwarding, crossed, &[1, 2]);
    for group in &mut all.groups {
        group.check = vec!["via: tunnel".to_owned()];
    }
    all.add(VIP_V4.into(), Group::new(PLAIN, "tcp", 9999, forwarding).with(&[1, 2]));
    all
}

/// States of the victim's and of all other targets that are checked through the tunnel.
fn states(lab: &Lab, xelb: &Xelb) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let mut targets = xelb.targets(lab)?;
    targets.retain(|target| target.group != PLAIN);
    let victims: [IpAddr; 2] = [target_v4(VICTIM).into(), target_v6(VICTIM).into()];
    let (lost, rest): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| victims.contains(&target.address));
    let state = |targets: Vec<lb_tests::agent::TargetStatus>| {
        targets.into_iter().map(|target| target.state).collect()
    };
    Ok((state(lost), state(rest)))
}

/// Waits until the victim is in a state in every group that is checked through the tunnel; all
/// other targets, and the victim in the other group, are healthy all the time.
fn expect(lab: &Lab, xelb: &Xelb, wanted: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut wrong = None;
    wait::until(&format!("t{VICTIM} is {wanted}"), NOTICE_LIMIT, || {
        let (lost, rest) = states(lab, xelb).map_err(|error| error.to_string())?;
        if rest.iter().any(|state| state != "healthy") {
            wrong = Some(format!("others are {rest:?}"));
        }
        let reached = lost.len() == 4 && lost.iter().all(|state| state == wanted);
        if reached { Ok(()) } else { Err(format!("{lost:?}")) }
    })?;
    let plain = xelb.targets(lab)?.into_iter().filter(|target| target.group == PLAIN);
    for target in plain {
        ensure!(target.state == "healthy", "{target:?}");
    }
    ensure!(wrong.is_none(), "{wrong:?}");
    Ok(begun.elapsed())
}

fn expect_unhealthy(lab: &Lab, xelb: &Xelb) -> anyhow::Result<()> {
    let took = expect(lab, xelb, "unhealthy")?;
    ensure!(took < DETECTION_LIMIT, "detected after {took:?}");
    Ok(())
}

/// Puts both VIPs on the victim, or takes them away.
fn vips(lab: &Lab, action: &str) -> anyhow::Result<()> {
    for vip in [format!("{VIP_V4}/32"), format!("{VIP_V6}/128")] {
        lab.target(VICTIM).ip(&format!("address {action} {vip} dev lo"))?;
    }
    Ok(())
}

fn decaps(lab: &Lab, xelb: &Xelb, mode: Mode) -> anyhow::Result<Vec<Process>> {
    let targets = lab.targets().iter().filter(|_| mode.forwarding.is_tunnel());
    Ok(targets.map(|target| xelb.decap(lab, target)).collect::<Result<_, _>>()?)
}

/// The warnings of `xelb status`.
fn warnings(lab: &Lab, xelb: &Xelb) -> anyhow::Result<Vec<String>> {
    let text = xelb.command(lab, &["status", "-o", "json"])?.success()?;
    let answer: Value = serde_json::from_str(&text)?;
    let warnings = answer["warnings"].as_array().context("status has no warnings")?;
    Ok(warnings.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}

fn expect_warning(lab: &Lab, xelb: &Xelb, part: &str) -> anyhow::Result<()> {
    wait::until(&format!("status warns of {part:?}"), NOTICE_LIMIT, || {
        let warnings = warnings(lab, xelb).map_err(|error| error.to_string())?;
        let told = warnings.iter().any(|warning| warning.contains(part));
        if told { Ok(()) } else { Err(format!("{warnings:?}")) }
    })?;
    Ok(())
}

/// Fails when a target is not healthy at some time of a while.
fn expect_unmoved(lab: &Lab, xelb: &Xelb) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < WATCH {
        for target in xelb.targets(lab)? {
            ensure!(target.state == "healthy", "{target:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Every rule, route and interface of the balancer, as `ip` shows them.
fn kernel_state(lab: &Lab) -> anyhow::Result<String> {
    let lb = lab.lb();
    let mut all = String::new();
    for words in ["rule", "-6 rule", "route show table all", "-6 route show table all", "-br link"]
    {
        all += &lb.ip(words)?;
    }
    Ok(all)
}

/// The lines of a text that another has not.
fn lines_without(text: &str, other: &str) -> Vec<String> {
    let known: BTreeSet<&str> = other.lines().collect();
    text.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect()
}

/// Rules to the table of probes, of both families.
fn rules(lab: &Lab) -> anyhow::Result<usize> {
    let lb = lab.lb();
    let all = lb.ip("rule")? + &lb.ip("-6 rule")?;
    Ok(all.matches("fwmark 0xe").count())
}

#[test]
fn a_target_that_does_not_take_the_vip_is_unhealthy() -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(2, move |lab| {
            let xelb = Xelb::find(None)?;
            let mut running = decaps(lab, &xelb, mode)?;
            let all = configuration(mode.forwarding, mode.crossed);
            let scene = Scene::start_with(lab, &all, Vec::new())?;
            expect(lab, &scene.xelb, "healthy")?;
            vips(lab, "del")?;
            expect_unhealthy(lab, &xelb)?;
            vips(lab, "add")?;
            expect(lab, &xelb, "healthy")?;
            if mode.forwarding.is_tunnel() {
                running.remove(usize::from(VICTIM) - 1).stop(NOTICE_LIMIT)?;
                expect_unhealthy(lab, &xelb)?;
                running.push(xelb.decap(lab, lab.target(VICTIM))?);
                expect(lab, &xelb, "healthy")?;
            }
            lab.kill_web_server(VICTIM);
            wait::until("the server's death is seen", DETECTION_LIMIT, || {
                let (lost, _) = states(lab, &xelb).map_err(|error| error.to_string())?;
                let all = lost.iter().all(|state| state == "unhealthy");
                if all { Ok(()) } else { Err(format!("{lost:?}")) }
            })?;
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// A target without the VIP that forwards packets sends probes back into the network. There they
/// would come to the balancer, and by it to a target that answers.
#[test]
fn a_target_that_forwards_the_probe_is_unhealthy() -> anyhow::Result<()> {
    for mode in [MODES[0], MODES[4]] {
        in_lab(2, move |lab| {
            let xelb = Xelb::find(None)?;
            let running = decaps(lab, &xelb, mode)?;
            let all = configuration(mode.forwarding, mode.crossed);
            let _scene = Scene::start_with(lab, &all, running)?;
            let victim = lab.target(VICTIM);
            victim.set("net/ipv4/ip_forward", "1")?;
            victim.set("net/ipv6/conf/all/forwarding", "1")?;
            expect(lab, &xelb, "healthy")?;
            vips(lab, "del")?;
            expect_unhealthy(lab, &xelb)?;
            let begun = Instant::now();
            while begun.elapsed() < WATCH {
                expect(lab, &xelb, "unhealthy")?;
            }
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

#[test]
fn nothing_is_left_on_the_balancer() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let xelb = Xelb::find(None)?;
        let running = decaps(lab, &xelb, MODES[0])?;
        let before = kernel_state(lab)?;
        ensure!(!before.contains(DEVICE) && rules(lab)? == 0, "{before}");
        let all = configuration(Forwarding::Ipip, false);
        let mut scene = Scene::start_with(lab, &all, running)?;
        ensure!(rules(lab)? == 2 && kernel_state(lab)?.contains(DEVICE));
        for _ in 0..2 {
            scene.agent.signal(Signal::SIGKILL)?;
            scene.agent.wait(NOTICE_LIMIT)?;
            let between = kernel_state(lab)?;
            ensure!(!between.contains(DEVICE), "the device outlives the agent:\n{between}");
            scene.agent = xelb.agent(lab)?;
            xelb.wait_healthy(lab, all.target_count(), NOTICE_LIMIT)?;
            wait::until("one rule a family", NOTICE_LIMIT, || match rules(lab) {
                Ok(2) => Ok(()),
                other => Err(format!("{other:?}")),
            })?;
        }
        expect_unmoved(lab, &xelb)?;

        // The last check of that kind removes everything, the first one creates it again.
        let mut plain = all.clone();
        plain.groups.iter_mut().for_each(|group| group.check.clear());
        let settled = |wanted: usize| {
            wait::until(&format!("{wanted} rules"), NOTICE_LIMIT, || {
                let state = kernel_state(lab).map_err(|error| error.to_string())?;
                let rules = rules(lab).map_err(|error| error.to_string())?;
                let right = rules == wanted && state.contains(DEVICE) == (wanted > 0);
                if right { Ok(()) } else { Err(state) }
            })
        };
        write_configuration(lab, &plain)?;
        settled(0)?;
        write_configuration(lab, &all)?;
        settled(2)?;
        expect_unmoved(lab, &xelb)?;

        scene.agent.stop(NOTICE_LIMIT)?;
        let after = kernel_state(lab)?;
        ensure!(after == before, "before:\n{before}\nafter:\n{after}");

        // Also an agent without such checks removes what a killed one has left.
        scene.agent = xelb.agent(lab)?;
        settled(2)?;
        scene.agent.signal(Signal::SIGKILL)?;
        scene.agent.wait(NOTICE_LIMIT)?;
        ensure!(rules(lab)? == 2, "the killed agent's rules");
        write_configuration(lab, &plain)?;
        scene.agent = xelb.agent(lab)?;
        settled(0)?;
        Ok(())
    })
}

/// Somebody flushes the rules, or deletes the device: probes say nothing until both are back.
#[test]
fn a_broken_probe_path_is_repaired_without_false_verdicts() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let xelb = Xelb::find(None)?;
        let running = decaps(lab, &xelb, MODES[0])?;
        let all = configuration(Forwarding::Ipip, false);
        let _scene = Scene::start_with(lab, &all, running)?;
        let whole = kernel_state(lab)?;
        for breakage in [
            &["rule del fwmark 0xe0", "-6 rule del fwmark 0xe0"][..],
            &["link set xelb-probe0 down"],
            &["link del xelb-probe0"],
        ] {
            for words in breakage {
                lab.lb().ip(words)?;
            }
            expect_unmoved(lab, &xelb)?;
            wait::until("all is as before", NOTICE_LIMIT, || {
                let now = kernel_state(lab).map_err(|error| error.to_string())?;
                let (missing, new) = (lines_without(&whole, &now), lines_without(&now, &whole));
                let same = missing.is_empty() && new.is_empty();
                if same { Ok(()) } else { Err(format!("missing {missing:#?}, new {new:#?}")) }
            })
            .with_context(|| format!("after {breakage:?}"))?;
            expect_unmoved(lab, &xelb)?;
        }
        vips(lab, "del")?;
        expect_unhealthy(lab, &xelb)
    })
}

/// What this host cannot do says nothing about targets.
#[test]
fn a_host_that_cannot_probe_says_so_and_keeps_the_states() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let xelb = Xelb::find(None)?;
        let running = decaps(lab, &xelb, MODES[0])?;
        let all = configuration(Forwarding::Ipip, false);
        let mut plain = all.clone();
        plain.groups.iter_mut().for_each(|group| group.check.clear());
        let _scene = Scene::start_with(lab, &plain, running)?;
        let lb = lab.lb();

        // The device cannot be made.
        for number in [0, 2, 4, 6] {
            let peer = number + 1;
            lb.ip(&format!("link add {DEVICE}{number} type veth peer name {DEVICE}{peer}"))?;
        }
        write_configuration(lab, &all)?;
        expect_warning(lab, &xelb, "the interfaces xelb-probe0 to xelb-probe7 exist already")?;
        expect_unmoved(lab, &xelb)?;
        // The first names stay taken, as by another agent: the next ones do as well.
        for number in [2, 4, 6] {
            lb.ip(&format!("link del {DEVICE}{number}"))?;
        }
        wait::until("the warning is gone", NOTICE_LIMIT, || {
            let warnings = warnings(lab, &xelb).map_err(|error| error.to_string())?;
            let gone = !warnings.iter().any(|warning| warning.contains("via tunnel"));
            if gone { Ok(()) } else { Err(format!("{warnings:?}")) }
        })?;
        ensure!(rules(lab)? == 2, "no rules");
        ensure!(lb.ip("rule")?.contains("fwmark 0xe2 lookup 2019912802"), "{}", lb.ip("rule")?);

        // The VIP is an address of the balancer.
        lb.ip(&format!("address add {VIP_V4}/32 dev lo"))?;
        expect_warning(lab, &xelb, &format!("the VIP {VIP_V4} is an address of this host"))?;
        expect_unmoved(lab, &xelb)?;
        lb.ip(&format!("address del {VIP_V4}/32 dev lo"))?;

        // A strict check of sources drops answers: the detail names it.
        expect(lab, &xelb, "healthy")?;
        lb.ip("link add name elsewhere type veth peer name peer1")?;
        lb.ip("link set elsewhere up")?;
        lb.ip("link set peer1 up")?;
        lb.ip(&format!("route add {VIP_V4}/32 dev elsewhere"))?;
        lb.set("net/ipv4/conf/eth0/rp_filter", "1")?;
        wait::until("the failure hints at rp_filter", NOTICE_LIMIT, || {
            let answer = xelb.command(lab, &["get", "targets", "-o", "json"]);
            let text = answer.and_then(lb_tests::process::Finished::success);
            let text = text.map_err(|error| error.to_string())?;
            if text.contains("rp_filter of eth0 is 1") { Ok(()) } else { Err(text) }
        })?;
        lb.set("net/ipv4/conf/eth0/rp_filter", "2")?;
        xelb.wait_healthy(lab, all.target_count(), NOTICE_LIMIT)?;
        Ok(())
    })
}

/// A port of its own, which no listener has, and the first address of a prefix.
#[test]
fn ports_and_prefixes_of_listeners() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let xelb = Xelb::find(None)?;
        let running = decaps(lab, &xelb, MODES[0])?;
        let mut one = Configuration::default();
        let group = Group::new("wide", "udp", 5300, Forwarding::Ipip).with(&[1, 2]);
        one.add(VIP_V4.into(), Group { check: vec!["via: tunnel".to_owned()], ..group });
        // 203.0.113.8/29: its first host has the address ...9, the port of the check is the web's.
        one.listeners[0].address = "203.0.113.8/29".to_owned();
        one.listeners[0].port = "all".to_owned();
        for target in lab.targets() {
            target.ip("address add 203.0.113.9/32 dev lo")?;
        }
        let _scene = Scene::start_with(lab, &one, running)?;
        ensure!(web::PORT != 5300, "the port of the check is no listener's");
        lab.target(VICTIM).ip("address del 203.0.113.9/32 dev lo")?;
        xelb.wait_state(lab, target_v4(VICTIM).into(), "unhealthy", DETECTION_LIMIT)?;
        Ok(())
    })
}
