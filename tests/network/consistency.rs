//! Connections never break while their targets live: 500 of them exchange lines for two minutes, and
//! the group changes 200 times.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lb_tests::{
    Configuration, Forwarding, Lab,
    agent::write_configuration,
    configuration::Group,
    talk::{Listeners, OpenConnections},
    topology::{VIPS, target_v4},
    wait,
};

use crate::scene::{NOTICE_LIMIT, Scene, in_lab};

const PORT: u16 = 7000;
/// Of each of the two clients.
const CONNECTIONS: usize = 250;
const CHANGES: usize = 200;
const LASTS: Duration = Duration::from_mins(2);
const STALL_MAX: Duration = Duration::from_secs(1);

fn configuration(targets: &[(u8, u16)]) -> Configuration {
    let mut configuration = Configuration::default();
    for (name, vip) in [("v4", VIPS[0]), ("v6", VIPS[1])] {
        let group = Group::new(&format!("talk-{name}"), "tcp", PORT, Forwarding::Ipip);
        configuration.add(vip, Group { targets: targets.to_vec(), ..group });
    }
    configuration
}

/// The targets and their weights at a step: one of five is away, and weights differ. The first one
/// stays, to be drained.
fn targets_at(step: usize) -> Vec<(u8, u16)> {
    let weights = [100, 50, 200, 0, 100, 300];
    (1..=6)
        .filter(|target| {
            step == 0 || *target == 1 || !(step + usize::from(*target)).is_multiple_of(5)
        })
        .map(|target| (target, weights[(step / 3 + usize::from(target)) % weights.len()]))
        .collect()
}

/// Drains and undrains a target.
fn drain(lab: &Lab, scene: &Scene, target: u8, what: &str) -> anyhow::Result<()> {
    for family in ["v4", "v6"] {
        let group = format!("talk-{family}");
        let address = target_v4(target).to_string();
        let done = scene.xelb.command(lab, &["target", what, &group, &address])?;
        ensure!(done.status.success(), "{what} {address}: {}", done.stderr);
    }
    Ok(())
}

#[test]
fn five_hundred_connections_outlive_two_hundred_changes() -> anyhow::Result<()> {
    in_lab(6, |lab| {
        let listeners = Listeners::start(lab.targets(), PORT)?;
        let scene = Scene::start(lab, &configuration(&targets_at(0)))?;
        let clients =
            [(lab.client(1), (VIPS[0], PORT).into()), (lab.client(2), (VIPS[1], PORT).into())];
        let connections = OpenConnections::start(&clients, CONNECTIONS)?;
        wait::until("all connections are open", NOTICE_LIMIT, || {
            let report = connections.report();
            let open = report.partners.len();
            if open == 2 * CONNECTIONS { Ok(()) } else { Err(format!("{open}: {report:?}")) }
        })?;
        let begun = Instant::now();
        let pause = LASTS / u32::try_from(CHANGES)?;
        for change in 1..=CHANGES {
            match change % 4 {
                0 => drain(lab, &scene, 1, if change % 8 == 0 { "drain" } else { "undrain" })?,
                _ => write_configuration(lab, &configuration(&targets_at(change)))?,
            }
            let next = begun + pause * u32::try_from(change)?;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        let remembered = scene.xelb.counter(lab, "flow_remembered")?;
        let report = connections.finish();
        println!(
            "{} lines answered, the slowest after {:?}; {remembered} flows were remembered",
            report.answers, report.longest
        );
        ensure!(report.broken.is_empty(), "{} broke: {:?}", report.broken.len(), report.broken);
        ensure!(report.longest < STALL_MAX, "an answer took {:?}", report.longest);
        ensure!(report.answers > 100 * 2 * CONNECTIONS, "only {} answers", report.answers);
        let mut partners = report.partners;
        partners.sort();
        partners.dedup();
        ensure!(partners.len() == 5, "{partners:?} had flows; one target has weight 0");
        drop(listeners);
        Ok(())
    })
}

/// A target falls silent. The balancer resets its connections as soon as it is known, so that their
/// clients reconnect; other connections are not affected.
#[test]
fn connections_of_a_dead_target_are_reset_and_no_others() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let _listeners = Listeners::start(lab.targets(), PORT)?;
        let mut configuration = configuration(&[(1, 100), (2, 100), (3, 100)]);
        for group in &mut configuration.groups {
            group.attributes.push("connection_termination: true".to_owned());
        }
        let scene = Scene::start(lab, &configuration)?;
        let clients =
            [(lab.client(1), (VIPS[0], PORT).into()), (lab.client(2), (VIPS[1], PORT).into())];
        let connections = OpenConnections::start(&clients, 30)?;
        wait::until("all connections are open", NOTICE_LIMIT, || {
            let open = connections.report().partners.len();
            if open == 60 { Ok(()) } else { Err(open.to_string()) }
        })?;
        let partners = connections.report().partners;
        let lost = partners.iter().filter(|partner| *partner == "t2").count();
        ensure!(lost > 5 && lost < 50, "t2 has {lost} of 60 connections");
        let begun = Instant::now();
        lab.target(2).ip("link set eth0 down")?;
        scene.xelb.wait_state(lab, target_v4(2).into(), "unhealthy", NOTICE_LIMIT)?;
        wait::until("its connections are reset", NOTICE_LIMIT, || {
            let broken = connections.report().broken;
            if broken.len() == lost { Ok(()) } else { Err(format!("{broken:?}")) }
        })?;
        println!("{lost} connections were reset within {:?} of the death", begun.elapsed());
        thread::sleep(Duration::from_secs(1));
        let resets = scene.xelb.counter(lab, "reset_sent")?;
        let report = connections.finish();
        ensure!(resets >= u64::try_from(lost)?, "only {resets} resets were sent");
        ensure!(report.broken.len() == lost, "{:?}", report.broken);
        let by_reset = |broken: &&String| broken.contains("to t2") && broken.contains("reset");
        let reset = report.broken.iter().filter(by_reset).count();
        ensure!(reset == lost, "{:?}", report.broken);
        Ok(())
    })
}
