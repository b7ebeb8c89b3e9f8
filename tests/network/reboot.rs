//! The balancer's host starts again: nothing is pinned, the desired state is in its directory. A
//! reboot cannot be had in a lab; what it takes away can be.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path, write_configuration},
    flood::{Flood, Sinks},
    process::{Finished, Task},
    talk::{Listeners, OpenConnections},
    topology::{LB_INTERFACE, target_v4},
    wait,
};
use nix::sys::signal::Signal;

use crate::{
    alone::upgrade::{
        CONNECTIONS, FLOOD_PORT, FLOWS, INTERVAL, PAUSE, TALK_PORT, configuration, ids, to,
    },
    scene::{NOTICE_LIMIT, in_lab},
};

/// The target that is dead all the time, and must not get anything.
const DEAD: u8 = 3;

/// Longest that new flows may wait after the host is up: dead targets have no verdict yet.
const STALL_MAX: Duration = Duration::from_secs(8);

fn start(lab: &Lab, xelb: &Xelb) -> anyhow::Result<Process> {
    let state = lab.directory().join("state").display().to_string();
    let arguments = ["agent", "--state-dir", &state, "--bpffs", PIN_DIR, "--socket", SOCKET];
    let task = Task::new(xelb.program(), &arguments).log_to(&lab.log("agent"))?;
    let agent = lab.lb().spawn(task)?;
    wait::until("the agent answers", NOTICE_LIMIT, || {
        xelb.targets(lab).map_err(|error| error.to_string())
    })?;
    Ok(agent)
}

/// Waits until all targets but the dead one are healthy; that one is in this state.
fn wait_states(lab: &Lab, xelb: &Xelb, dead: &[&str]) -> anyhow::Result<()> {
    wait::until("all but one are healthy", NOTICE_LIMIT, || {
        let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
        let expected = targets.iter().all(|target| {
            if target.address == target_v4(DEAD) {
                dead.contains(&target.state.as_str())
            } else {
                target.state == "healthy"
            }
        });
        if expected && !targets.is_empty() { Ok(()) } else { Err(format!("{targets:?}")) }
    })?;
    Ok(())
}

#[test]
fn after_a_reboot_flows_find_their_targets_again_and_the_dead_get_none() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let xelb = Xelb::find(None)?;
        let decaps = lab.targets().iter().map(|target| xelb.decap(lab, target));
        let _decaps: Vec<Process> = decaps.collect::<Result<_, _>>()?;
        lab.kill_web_server(DEAD);
        let mut configuration = configuration();
        configuration.top.push("hash_seed: \"000102030405060708090a0b0c0d0e0f\"".to_owned());
        write_configuration(lab, &configuration)?;
        fs::create_dir_all("/run/xelb")?;
        let mut agent = start(lab, &xelb)?;
        let path = configuration_path(lab).display().to_string();
        xelb.command(lab, &["apply", "-f", &path]).and_then(Finished::success)?;
        wait_states(lab, &xelb, &["unhealthy"])?;
        let before = ids(lab, &xelb)?;

        let _listeners = Listeners::start(lab.targets(), TALK_PORT)?;
        let sinks = Sinks::start(lab.targets(), FLOOD_PORT)?;
        let connections = OpenConnections::start(&to(lab, TALK_PORT), CONNECTIONS)?;
        wait::until("all connections are open", NOTICE_LIMIT, || {
            let open = connections.report().partners.len();
            if open == 2 * CONNECTIONS { Ok(()) } else { Err(format!("{open}")) }
        })?;
        let flood = Flood::start(&to(lab, FLOOD_PORT), FLOWS, INTERVAL)?;
        thread::sleep(PAUSE);
        agent.signal(Signal::SIGKILL)?;
        agent.wait(NOTICE_LIMIT)?;
        xelb.detach(lab)?;
        ensure!(!lab.lb().has_xdp(LB_INTERFACE)?, "the program is still attached");
        thread::sleep(PAUSE);
        let begun = Instant::now();
        let agent = start(lab, &xelb)?;
        ensure!(lab.lb().has_xdp(LB_INTERFACE)?, "the data path is not up");
        wait_states(lab, &xelb, &["initial", "unhealthy"])?;
        println!("the targets that live were healthy after {:?}", begun.elapsed());
        thread::sleep(PAUSE * 3);
        wait_states(lab, &xelb, &["unhealthy"])?;

        let tally = flood.finish(sinks);
        let report = connections.finish();
        let lost = tally.lost_count();
        println!(
            "{lost} of {} datagrams were lost, flows on {:?}; {} lines, the slowest after {:?}",
            tally.sent, tally.homes, report.answers, report.longest
        );
        ensure!(tally.moved.is_empty(), "moved: {:?}", tally.moved);
        ensure!(tally.homes.len() == 2 && !tally.homes.contains_key("t3"), "{:?}", tally.homes);
        ensure!(!tally.lost.is_empty(), "nothing was lost: there was no reboot");
        let flows = FLOWS * 2;
        ensure!(tally.homes.values().sum::<usize>() == flows as usize, "{:?}", tally.homes);
        ensure!(report.broken.is_empty(), "broken: {:?}", report.broken);
        ensure!(report.longest < STALL_MAX, "an answer took {:?}", report.longest);
        let after = ids(lab, &xelb)?;
        ensure!(before == after, "{before:?} became {after:?}");
        drop(agent);
        Ok(())
    })
}
