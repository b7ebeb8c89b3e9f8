//! The first agent of a host dies while it starts.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lb_tests::{agent::PIN_DIR, wait};
use nix::sys::signal::Signal;

use crate::{
    alone::upgrade::{configuration, end, expect_own_pins, pins, spawn_agent},
    scene::{NOTICE_LIMIT, Scene, in_lab},
};

/// Names in the root of bpffs: the kernel has two of its own there.
fn in_bpffs() -> anyhow::Result<BTreeSet<PathBuf>> {
    let entries = fs::read_dir(lb_tests::sandbox::BPFFS)?;
    Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
}

/// The first start is killed at any moment: the next one works, and nothing is left behind.
#[test]
fn a_first_start_killed_at_any_moment_leaves_nothing_behind() -> anyhow::Result<()> {
    const KILLS: u32 = 50;
    const LOOK_INTERVAL: Duration = Duration::from_micros(100);
    in_lab(3, |lab| {
        let mut scene = Scene::start(lab, &configuration())?;
        let begun = Instant::now();
        end(&mut scene, Signal::SIGTERM)?;
        scene.xelb.detach(lab)?;
        // As long as a start takes here, and a little longer.
        scene.agent = scene.xelb.agent(lab)?;
        scene.xelb.wait_healthy(lab, configuration().target_count(), NOTICE_LIMIT)?;
        let lasts = begun.elapsed() * 5 / 4;
        end(&mut scene, Signal::SIGTERM)?;
        scene.xelb.detach(lab)?;
        let (before, mut found) = (in_bpffs()?, BTreeSet::new());
        for kill in 0..KILLS {
            let mut agent = spawn_agent(lab, &scene)?;
            let started = Instant::now();
            let enough = |after: Duration| match kill % 2 {
                0 => after >= lasts * kill / KILLS,
                // The maps are made within a few milliseconds, one by one.
                _ => pins().is_ok_and(|pins| pins.len() >= kill as usize / 2) || after >= lasts,
            };
            while !enough(started.elapsed()) {
                thread::sleep(LOOK_INTERVAL);
            }
            agent.signal(Signal::SIGKILL)?;
            agent.wait(NOTICE_LIMIT)?;
            found.insert(if Path::new(PIN_DIR).exists() { pins()?.len() } else { 0 });
            // Every fifth time by the next start, else at once by `xelb detach`.
            if kill % 5 == 4 {
                scene.agent = scene.xelb.agent(lab)?;
                scene.xelb.wait_healthy(lab, configuration().target_count(), NOTICE_LIMIT)?;
                expect_own_pins()?;
                end(&mut scene, Signal::SIGTERM)?;
            }
            scene.xelb.detach(lab)?;
            let left = in_bpffs()?;
            ensure!(left == before, "after kill {kill}: {left:?}");
            // The kernel releases a link a moment after its pin is removed.
            wait::until("no program is attached", NOTICE_LIMIT, || {
                match lab.lb().has_xdp("eth0") {
                    Ok(false) => Ok(()),
                    other => Err(format!("after kill {kill}: {other:?}")),
                }
            })?;
        }
        println!("{KILLS} kills over {lasts:?}; numbers of pins that were found: {found:?}");
        ensure!(found.len() >= 5, "the kills have not hit: {found:?}");
        Ok(())
    })
}
