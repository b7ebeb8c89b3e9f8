//! A listener switches to another group, a group is renamed, the previous one is deleted:
//! connections keep their targets, and new ones go to the new group without a gap.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::configuration_path,
    talk::{Listeners, OpenConnections},
    topology::{VIPS, target_v4},
    wait, web,
};

use crate::scene::{NOTICE_LIMIT, in_lab};

const PORT: u16 = 7000;
const CONNECTIONS: usize = 60;
const PAUSE: Duration = Duration::from_millis(1500);
/// The longest that a new connection may wait at a switch: less than a SYN is sent again after.
const OPENING_MAX: Duration = Duration::from_millis(900);

const BLUE: &[u8] = &[1, 2];
const GREEN: &[u8] = &[3, 4];

/// The groups, and the one that the listener forwards to.
fn configuration(mode: &str, groups: &[(&str, &[u8])], led_to: &str) -> anyhow::Result<String> {
    let mut text = String::from("interfaces: [eth0]\ntarget_groups:\n");
    for (name, targets) in groups {
        let targets: Vec<String> =
            targets.iter().map(|number| format!("{{ address: {} }}", target_v4(*number))).collect();
        writeln!(
            text,
            "  - {{ name: {name}, protocol: tcp, port: {PORT}, forwarding: {mode}, targets: [{}], \
             health_check: {{ protocol: http, path: /healthz, port: {}, interval: 200ms, timeout: \
             150ms, healthy_threshold: 2 }} }}",
            targets.join(", "),
            web::PORT
        )?;
    }
    writeln!(
        text,
        "listeners:\n  - {{ name: web, address: {}, port: {PORT}, protocol: tcp, default_action: {{ \
         forward: {{ target_group: {led_to} }} }} }}",
        VIPS[0]
    )?;
    Ok(text)
}

/// What runs in the lab.
struct Running<'lab> {
    lab: &'lab Lab,
    mode: &'static str,
    xelb: Xelb,
    agent: Option<Process>,
}

impl Running<'_> {
    fn apply(&self, groups: &[(&str, &[u8])], led_to: &str) -> anyhow::Result<()> {
        let text = configuration(self.mode, groups, led_to)?;
        std::fs::write(configuration_path(self.lab), text)?;
        wait::until("the listener is led there", NOTICE_LIMIT, || {
            let shown = self.xelb.command(self.lab, &["get", "listeners"]);
            match shown {
                Ok(shown) if shown.stdout.contains(led_to) => Ok(()),
                Ok(shown) => Err(shown.stdout),
                Err(error) => Err(error.to_string()),
            }
        })?;
        Ok(())
    }

    /// New connections, all of which must be open soon; who has them.
    fn open(&self) -> anyhow::Result<(OpenConnections, BTreeSet<String>)> {
        let begun = Instant::now();
        let connections =
            OpenConnections::start(&[(self.lab.client(1), (VIPS[0], PORT).into())], CONNECTIONS)?;
        wait::until("all connections are open", NOTICE_LIMIT, || {
            let report = connections.report();
            let open = report.partners.len();
            if open == CONNECTIONS { Ok(()) } else { Err(format!("{open}: {report:?}")) }
        })?;
        let took = begun.elapsed();
        ensure!(took < OPENING_MAX, "the last of {CONNECTIONS} connections took {took:?} to open");
        let partners = connections.report().partners.into_iter().collect();
        Ok((connections, partners))
    }
}

fn names(targets: &[u8]) -> BTreeSet<String> {
    targets.iter().map(|number| format!("t{number}")).collect()
}

fn switches_break_nothing(mode: &'static str) -> anyhow::Result<()> {
    in_lab(4, move |lab| {
        let _listeners = Listeners::start(lab.targets(), PORT)?;
        let xelb = Xelb::find(None)?;
        let mut decaps = Vec::new();
        for target in lab.targets() {
            if mode == "nat" {
                target.ip("address flush dev lo scope global")?;
                target.ip("route replace default via 10.0.0.2")?;
            } else {
                decaps.push(xelb.decap(lab, target)?);
            }
        }
        let both: [(&str, &[u8]); 2] = [("blue", BLUE), ("green", GREEN)];
        std::fs::write(configuration_path(lab), configuration(mode, &both, "blue")?)?;
        let agent = xelb.agent(lab)?;
        // Green is checked before anybody uses it.
        xelb.wait_healthy(lab, 4, NOTICE_LIMIT)?;
        let mut running = Running { lab, mode, xelb, agent: Some(agent) };

        let (first, had) = running.open()?;
        ensure!(had == names(BLUE), "{had:?}");
        running.apply(&both, "green")?;
        let (second, had) = running.open()?;
        ensure!(had == names(GREEN), "after the switch: {had:?}");
        thread::sleep(PAUSE);

        // Back and forth, while the first ones are still on their way.
        running.apply(&both, "blue")?;
        let (third, had) = running.open()?;
        ensure!(had == names(BLUE), "back: {had:?}");
        running.apply(&both, "green")?;

        // The previous group is deleted while it drains, the other one is renamed, and the agent is
        // replaced.
        running.apply(&[("green", GREEN)], "green")?;
        thread::sleep(PAUSE);
        running.apply(&[("verdant", GREEN)], "verdant")?;
        drop(running.agent.take());
        running.agent = Some(running.xelb.agent(lab)?);
        thread::sleep(PAUSE);

        // A group that comes into being with the switch.
        running.apply(&[("verdant", GREEN), ("navy", &[1])], "navy")?;
        let (fourth, had) = running.open()?;
        ensure!(had.is_subset(&names(&[1, 3, 4])), "a group without a verdict yet: {had:?}");
        thread::sleep(PAUSE);
        let mut answers = 0;
        for (when, connections) in [(1, first), (2, second), (3, third), (4, fourth)] {
            let report = connections.finish();
            ensure!(report.broken.is_empty(), "opened {when}.: {:?}", report.broken);
            answers += report.answers;
        }
        println!("{mode}: {answers} lines answered on {} connections", 4 * CONNECTIONS);
        Ok(())
    })
    .with_context(|| format!("in mode {mode}"))
}

#[test]
fn connections_outlive_switches_of_a_listener_in_mode_ipip() -> anyhow::Result<()> {
    switches_break_nothing("ipip")
}

#[test]
fn connections_outlive_switches_of_a_listener_in_mode_gue() -> anyhow::Result<()> {
    switches_break_nothing("gue")
}

#[test]
fn connections_outlive_switches_of_a_listener_in_mode_l2dsr() -> anyhow::Result<()> {
    switches_break_nothing("l2dsr")
}

#[test]
fn connections_outlive_switches_of_a_listener_in_mode_nat() -> anyhow::Result<()> {
    switches_break_nothing("nat")
}
