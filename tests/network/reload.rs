//! The configuration file changes under load.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lb_tests::{
    Configuration, Forwarding, Lab,
    agent::{TargetStatus, write_configuration},
    configuration::Group,
    topology::{VIP_V4, target_v4},
    udp, wait,
};
use nix::sys::signal::Signal;

use crate::scene::{NOTICE_LIMIT, Scene, expect_no_failure, in_lab, load};

const ROUNDS: usize = 6;
/// Time between two reloads.
const PAUSE: Duration = Duration::from_millis(300);
fn wait_target_count(lab: &Lab, scene: &Scene, count: usize) -> anyhow::Result<()> {
    let what = format!("the agent shows {count} targets");
    // Those of a group that has gone are shown while they finish their flows.
    let stays = |target: &&TargetStatus| target.state != "draining";
    wait::until(&what, NOTICE_LIMIT, || match scene.xelb.targets(lab) {
        Ok(targets) if targets.iter().filter(stays).count() == count => Ok(()),
        Ok(targets) => Err(format!("{targets:?}")),
        Err(error) => Err(error.to_string()),
    })?;
    Ok(())
}

/// Another service is added and removed, alternately detected by the agent itself and by SIGHUP:
/// clients of the first service are not affected.
#[test]
fn a_reload_changes_only_differences() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let alone = Configuration::web(Forwarding::Ipip, &[1, 2, 3]);
        let mut both = alone.clone();
        both.add(
            VIP_V4.into(),
            Group {
                targets: vec![(1, 100), (3, 50)],
                ..Group::new("echo", "udp", udp::PORT, Forwarding::Ipip)
            },
        );
        let scene = Scene::start(lab, &alone)?;
        let load = load(lab)?;
        for round in 0..ROUNDS {
            let next = if round % 2 == 0 { &both } else { &alone };
            write_configuration(lab, next)?;
            if round % 3 == 0 {
                scene.agent.signal(Signal::SIGHUP)?;
            }
            wait_target_count(lab, &scene, next.target_count())?;
            thread::sleep(PAUSE);
        }
        expect_no_failure(&load.finish(), 200);
        Ok(())
    })
}

/// The mode of a live group changes between those that leave packets as they are: a target that has
/// the VIP and a decapsulator takes them all, and no connection breaks.
#[test]
fn the_mode_changes_under_load() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let web = |forwarding| Configuration::everything(forwarding, false, &[1, 2, 3]);
        let scene = Scene::start(lab, &web(Forwarding::Ipip))?;
        let load = load(lab)?;
        let modes = [
            Forwarding::Gue { variant: 1 },
            Forwarding::L2dsr,
            Forwarding::Gue { variant: 0 },
            Forwarding::Ipip,
        ];
        for forwarding in modes {
            let shown = match forwarding {
                Forwarding::Gue { .. } => "gue",
                Forwarding::L2dsr => "l2dsr",
                Forwarding::Ipip => "ipip",
            };
            write_configuration(lab, &web(forwarding))?;
            wait::until("the agent shows the mode", NOTICE_LIMIT, || {
                let groups = scene.xelb.command(lab, &["get", "target-groups", "-o", "json"]);
                match groups.and_then(lb_tests::process::Finished::success) {
                    Ok(text) if text.contains(&format!("\"{shown}\"")) => Ok(()),
                    Ok(text) => Err(text),
                    Err(error) => Err(error.to_string()),
                }
            })?;
            thread::sleep(PAUSE);
        }
        expect_no_failure(&load.finish(), 200);
        Ok(())
    })
}

/// Targets come and go, and finish their flows: no request breaks, and none that begins after a
/// removal goes to the removed target.
#[test]
fn targets_come_and_go_by_reload() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let scene = Scene::start(lab, &Configuration::web(Forwarding::Ipip, &[1, 2]))?;
        let load = load(lab)?;
        thread::sleep(PAUSE);
        let begun = Instant::now();
        write_configuration(lab, &Configuration::web(Forwarding::Ipip, &[1, 2, 3]))?;
        scene.xelb.wait_state(lab, target_v4(3).into(), "healthy", NOTICE_LIMIT)?;
        wait::until("t3 answers", NOTICE_LIMIT, || {
            load.samples().since(begun).first_answer_of("t3").ok_or_else(|| "no".to_owned())
        })?;
        write_configuration(lab, &Configuration::web(Forwarding::Ipip, &[2, 3]))?;
        scene.xelb.wait_state(lab, target_v4(1).into(), "draining", NOTICE_LIMIT)?;
        let removed = Instant::now();
        thread::sleep(PAUSE * 4);
        let samples = load.finish();
        expect_no_failure(&samples, 100);
        let after = samples.since(removed);
        ensure!(!after.by_target().contains_key("t1"), "t1 is gone: {:?}", after.by_target());
        Ok(())
    })
}

/// A configuration with an error changes nothing.
#[test]
fn a_wrong_file_changes_nothing() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let scene = Scene::start(lab, &Configuration::web(Forwarding::Ipip, &[1, 2]))?;
        let load = load(lab)?;
        let mut wrong = Configuration::web(Forwarding::Ipip, &[1]);
        wrong.listeners[0].address = "0.0.0.0".to_owned();
        wrong.groups[0].targets.push((1, 100));
        write_configuration(lab, &wrong)?;
        scene.agent.signal(Signal::SIGHUP)?;
        thread::sleep(PAUSE * 3);
        wait_target_count(lab, &scene, 2)?;
        let samples = load.finish();
        expect_no_failure(&samples, 100);
        ensure!(samples.by_target().len() == 2, "{:?}", samples.by_target());
        Ok(())
    })
}
