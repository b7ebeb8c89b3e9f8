//! A scaled group whose members are real servers: they come with the load and go with it, and no
//! request fails, whatever becomes of the agent.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Xelb,
    load::{Load, Pace},
    scaled::{self, PORT, ScaledGroup},
    topology::VIP_V4,
};
use nix::sys::signal::Signal;

use crate::scene::{NOTICE_LIMIT, expect_no_failure, in_lab};

/// The longest that the group may take to follow its load.
const FOLLOW_LIMIT: Duration = Duration::from_secs(90);
/// The most members.
const MAX: usize = 4;

/// Waits until so many members are there, all of them in service.
fn wait_members(lab: &Lab, xelb: &Xelb, count: usize) -> Result<BTreeSet<String>> {
    let what = format!("{count} members are in service");
    let done = |members: &[scaled::Member]| scaled::in_service(members, count);
    Ok(scaled::wait_members(lab, xelb, &what, FOLLOW_LIMIT, done)?)
}

/// Waits until some member is in one of these states.
fn wait_for_some(lab: &Lab, xelb: &Xelb, states: &[&str]) -> Result<()> {
    let is_in = |member: &scaled::Member| states.contains(&member.state.as_str());
    let done = |members: &[scaled::Member]| members.iter().any(is_in).then_some(());
    let what = format!("a member is {states:?}");
    Ok(scaled::wait_members(lab, xelb, &what, FOLLOW_LIMIT, done)?)
}

/// Each member that the agent knows has one process, and no other process of a member is there.
fn expect_processes(group: &ScaledGroup, known: &BTreeSet<String>) -> Result<()> {
    let processes = group.processes();
    let names: BTreeSet<String> = processes.iter().map(|(name, _)| name.clone()).collect();
    ensure!(names == *known, "members {known:?}, processes {processes:?}");
    ensure!(processes.len() == known.len(), "a member has two processes: {processes:?}");
    Ok(())
}

#[test]
fn members_follow_the_load_and_no_request_fails() -> Result<()> {
    in_lab(1, |lab| {
        let group = ScaledGroup::prepare(lab)?;
        let scaling = [
            "min: 1",
            &format!("max: {MAX}"),
            "policies: [{ name: load, target_tracking: { metric: packets_per_target, value: 100 } }]",
            "sample_interval: 1s",
            "scale_in_window: 5s",
        ];
        group.configure(lab, "", &scaling)?;
        let xelb = Xelb::find(None)?;
        let mut process = group.agent(lab, &xelb)?;
        let first = wait_members(lab, &xelb, 1)?;
        expect_processes(&group, &first)?;

        let server = (VIP_V4, PORT).into();
        let limit = Duration::from_secs(10);
        let little = Pace { workers: 1, pause: Duration::from_millis(300), limit };
        let light = Load::start(&[(lab.client(1), server)], little)?;
        let much = Pace { workers: 3, pause: Duration::from_millis(5), limit };
        let heavy = Load::start(&[(lab.client(2), server)], much)?;
        let risen = Instant::now();
        wait_for_some(lab, &xelb, &["pending"])?;
        eprintln!("new capacity is launched {:?} after the load", risen.elapsed());

        // In the middle of a launch.
        process.signal(Signal::SIGKILL)?;
        process.wait(NOTICE_LIMIT)?;
        thread::sleep(Duration::from_secs(1));
        let mut process = group.agent(lab, &xelb)?;
        let most = wait_members(lab, &xelb, MAX)?;
        eprintln!("{MAX} members are in service {:?} after the load", risen.elapsed());
        expect_processes(&group, &most)?;
        ensure!(most.is_superset(&first), "{first:?} is not part of {most:?}");

        expect_no_failure(&heavy.finish(), 200);
        wait_for_some(lab, &xelb, &["terminating:wait", "terminating"])?;
        // In the middle of a drain.
        process.signal(Signal::SIGKILL)?;
        process.wait(NOTICE_LIMIT)?;
        thread::sleep(Duration::from_secs(1));
        let _process = group.agent(lab, &xelb)?;
        let last = wait_members(lab, &xelb, 1)?;
        expect_processes(&group, &last)?;
        ensure!(last.is_subset(&most), "{last:?} is not part of {most:?}");
        let samples = light.finish();
        expect_no_failure(&samples, 20);
        ensure!(samples.by_target().len() > 1, "{:?}", samples.by_target());
        let activities = xelb.command(lab, &["get", "activities", "web"])?.success()?;
        ensure!(!activities.contains("failed"), "{activities}");
        Ok(())
    })
}
