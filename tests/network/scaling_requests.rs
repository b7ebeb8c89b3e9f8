//! A scaled group that the proxy reaches: its members follow the requests that a proxy counts, and no
//! request fails. Without a proxy nothing is known, and nothing leaves.

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
    wait,
};
use nix::sys::signal::Signal;

use crate::scene::{NOTICE_LIMIT, expect_no_failure, in_lab};

/// The longest that the group may take to follow its load. Drains must end by proof within it.
const FOLLOW_LIMIT: Duration = Duration::from_secs(90);
/// The most members.
const MAX: usize = 3;
/// Longer than the scale-in window.
const NOTHING_LEAVES: Duration = Duration::from_secs(9);

fn wait_members(lab: &Lab, xelb: &Xelb, count: usize) -> Result<BTreeSet<String>> {
    let what = format!("{count} members are in service");
    let done = |members: &[scaled::Member]| scaled::in_service(members, count);
    Ok(scaled::wait_members(lab, xelb, &what, FOLLOW_LIMIT, done)?)
}

fn explained(lab: &Lab, xelb: &Xelb, expected: &str) -> Result<()> {
    wait::until(&format!("explained: {expected}"), FOLLOW_LIMIT, || {
        let command = xelb.command(lab, &["scale", "explain", "web"]);
        let text = command.map(|done| done.stdout).map_err(|error| error.to_string())?;
        if text.contains(expected) { Ok(()) } else { Err(text) }
    })
    .map_err(Into::into)
}

#[test]
fn members_follow_requests_of_the_proxy_and_no_request_fails() -> Result<()> {
    in_lab(1, |lab| {
        let mut group = ScaledGroup::prepare(lab)?;
        group.by_requests = true;
        // Longer than the test: a drain ends when the proxy says that no request is left.
        group.deregistration_delay = "600s";
        let scaling = [
            "min: 1",
            &format!("max: {MAX}"),
            "policies: [{ name: load, target_tracking: { metric: requests_per_target, value: 10 } }]",
            "sample_interval: 1s",
            "scale_in_window: 5s",
        ];
        group.configure(lab, "", &scaling)?;
        let xelb = Xelb::find(None)?;
        let _agent = group.agent(lab, &xelb)?;
        let first = wait_members(lab, &xelb, 1)?;
        explained(lab, &xelb, "no `xelb proxy` reports the requests of this group")?;
        let status = xelb.command(lab, &["status"])?.stdout;
        ensure!(status.contains("no `xelb proxy` reports the requests"), "{status}");

        let mut proxy = group.proxy(lab, &xelb)?;
        let server = (VIP_V4, PORT).into();
        wait::until("the proxy serves a member", FOLLOW_LIMIT, || {
            let probe = Pace { workers: 1, ..Pace::default() };
            let load = Load::start(&[(lab.client(1), server)], probe);
            let load = load.map_err(|error| error.to_string())?;
            thread::sleep(Duration::from_millis(200));
            let samples = load.finish();
            let failures = samples.failure_summary();
            if failures.is_empty() && samples.len() > 1 { Ok(()) } else { Err(failures) }
        })?;

        let limit = Duration::from_secs(10);
        let little = Pace { workers: 1, pause: Duration::from_millis(400), limit };
        let light = Load::start(&[(lab.client(1), server)], little)?;
        let much = Pace { workers: 4, pause: Duration::from_millis(10), limit };
        let heavy = Load::start(&[(lab.client(2), server)], much)?;
        let risen = Instant::now();
        let most = wait_members(lab, &xelb, MAX)?;
        eprintln!("{MAX} members are in service {:?} after the load", risen.elapsed());
        ensure!(most.is_superset(&first), "{first:?} is not part of {most:?}");
        // All of them get requests.
        let from = Instant::now();
        thread::sleep(Duration::from_secs(2));
        let heavy = heavy.finish();
        let by_target = heavy.since(from).by_target();
        ensure!(by_target.len() == MAX, "{by_target:?}");
        expect_no_failure(&heavy, 200);
        let fallen = Instant::now();
        let last = wait_members(lab, &xelb, 1)?;
        eprintln!("one member is left {:?} after the load", fallen.elapsed());
        ensure!(last.is_subset(&most), "{last:?} is not part of {most:?}");
        expect_no_failure(&light.finish(), 20);

        // A proxy that is killed says nothing: that is not a load of zero.
        proxy.signal(Signal::SIGKILL)?;
        proxy.wait(NOTICE_LIMIT)?;
        explained(lab, &xelb, "does not report the requests of this group any more")?;
        xelb.command(lab, &["scale", "set-desired", "web", "2"])?.success()?;
        let two = wait_members(lab, &xelb, 2)?;
        thread::sleep(NOTHING_LEAVES);
        let still = scaled::members(lab, &xelb)?;
        ensure!(
            scaled::in_service(&still, 2) == Some(two),
            "members left without a proxy: {still:?}"
        );
        let _proxy = group.proxy(lab, &xelb)?;
        wait_members(lab, &xelb, 1)?;
        let activities = xelb.command(lab, &["get", "activities", "web"])?.success()?;
        ensure!(!activities.contains("failed"), "{activities}");
        Ok(())
    })
}
