//! The agent goes away, and packets do not care.

use std::{path::Path, thread, time::Duration};

use anyhow::ensure;
use lb_tests::{
    Configuration, Forwarding,
    agent::PIN_DIR,
    topology::{LB_INTERFACE, target_v4},
};
use nix::sys::signal::Signal;

use crate::scene::{NOTICE_LIMIT, Scene, expect_no_failure, in_lab, load};

/// How long there is no agent.
const ABSENCE: Duration = Duration::from_millis(1500);
const TARGETS: usize = 3;

#[test]
fn a_killed_agent_is_not_missed_and_the_next_takes_over() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let mut scene = Scene::start(lab, &Configuration::web(Forwarding::Ipip, &[1, 2, 3]))?;
        let load = load(lab)?;
        for _ in 0..2 {
            scene.agent.signal(Signal::SIGKILL)?;
            scene.agent.wait(NOTICE_LIMIT)?;
            thread::sleep(ABSENCE);
            ensure!(lab.lb().has_xdp(LB_INTERFACE)?, "the program is detached");
            let refused = scene.xelb.command(lab, &["get", "targets"])?;
            ensure!(
                refused.status.code() == Some(1) && !refused.stderr.is_empty(),
                "without an agent: {refused:?}"
            );
            scene.agent = scene.xelb.agent(lab)?;
            scene.xelb.wait_healthy(lab, TARGETS, NOTICE_LIMIT)?;
            thread::sleep(ABSENCE);
        }
        let samples = load.finish();
        expect_no_failure(&samples, 500);
        ensure!(samples.by_target().len() == TARGETS, "{:?}", samples.by_target());

        // The next agent governs the maps, it does not merely look at them.
        lab.kill_web_server(1);
        scene.xelb.wait_state(lab, target_v4(1).into(), "unhealthy", NOTICE_LIMIT)?;
        let load = crate::scene::load(lab)?;
        thread::sleep(ABSENCE);
        let samples = load.finish();
        expect_no_failure(&samples, 100);
        ensure!(!samples.by_target().contains_key("t1"), "{:?}", samples.by_target());
        Ok(())
    })
}

/// SIGTERM ends the agent and leaves the data path; `xelb detach` removes that, all of it.
#[test]
fn only_detach_removes_the_data_path() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let mut scene = Scene::start(lab, &Configuration::web(Forwarding::Ipip, &[1, 2]))?;
        let load = load(lab)?;
        let status = scene.agent.stop(NOTICE_LIMIT)?;
        ensure!(status.success(), "the agent ended with {status}");
        thread::sleep(ABSENCE);
        expect_no_failure(&load.finish(), 100);
        scene.xelb.detach(lab)?;
        ensure!(!lab.lb().has_xdp(LB_INTERFACE)?, "the program is still attached");
        let pins = Path::new(PIN_DIR);
        let left = pins.exists() && pins.read_dir()?.next().is_some();
        ensure!(!left, "pins are left in {PIN_DIR}");
        Ok(())
    })
}
