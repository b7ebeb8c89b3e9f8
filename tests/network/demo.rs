//! The demo from outside: it ends well and in time, and however it ends, it leaves nothing behind.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lb_tests::{Xelb, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    scene::shared_machine,
    traces::{BpfObjects, Traces, processes_with},
};

/// "Ends by itself in under a minute."
const DEMO_LIMIT: Duration = Duration::from_mins(1);
/// The kernel frees namespaces and BPF objects a little after their last user.
const GONE_LIMIT: Duration = Duration::from_secs(10);
/// All that the demo starts inherits this variable.
const TAG: &str = "XELB_DEMO_TAG";

/// A running demo; killed when dropped.
struct Demo {
    child: Child,
    tag: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Demo {
    fn start(tag: &str) -> anyhow::Result<Self> {
        Self::start_with(tag, &[])
    }

    fn start_with(tag: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let xelb = Xelb::find(None)?;
        let tag = format!("{}-{tag}", std::process::id());
        let child = Command::new(env!("CARGO_BIN_EXE_xelb-demo"))
            .arg("--xelb")
            .arg(xelb.program())
            .args(arguments)
            .env(TAG, &tag)
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self { child, tag })
    }

    /// Reads its output until a line starts with `prefix`, or to the end; returns all of it.
    fn read_until(&mut self, prefix: Option<&str>) -> anyhow::Result<String> {
        let output = self.child.stdout.as_mut().context("its output is a pipe")?;
        let mut text = String::new();
        let mut reader = BufReader::with_capacity(1, output);
        loop {
            let from = text.len();
            if reader.read_line(&mut text)? == 0 {
                ensure!(prefix.is_none(), "the demo ended before {prefix:?}:\n{text}");
                return Ok(text);
            }
            if prefix.is_some_and(|prefix| text[from..].starts_with(prefix)) {
                return Ok(text);
            }
        }
    }

    /// What it has loaded into the kernel by now.
    fn loaded(&self) -> BpfObjects {
        BpfObjects::held_by(&processes_with(TAG, &self.tag))
    }

    fn expect_nothing_left(&self, before: &Traces, loaded: &BpfObjects) -> anyhow::Result<()> {
        wait::until("nothing of the demo is left", GONE_LIMIT, || {
            let processes = processes_with(TAG, &self.tag);
            let more = Traces::now().map_err(|error| error.to_string())?.more_than(before);
            let loaded = loaded.still_loaded().map_err(|error| error.to_string())?;
            if processes.is_empty() && more.is_empty() && loaded.is_empty() {
                Ok(())
            } else {
                Err(format!("processes {processes:?}; {loaded:?}; {more}"))
            }
        })?;
        Ok(())
    }
}

#[test]
fn the_demo_ends_by_itself_and_leaves_nothing() -> anyhow::Result<()> {
    let _machine = shared_machine();
    let before = Traces::now()?;
    let started = Instant::now();
    let mut demo = Demo::start("whole")?;
    let mut text = demo.read_until(Some("2. "))?;
    let loaded = demo.loaded();
    ensure!(!loaded.is_empty(), "the demo has loaded nothing:\n{text}");
    text.push_str(&demo.read_until(None)?);
    let status = demo.child.wait()?;
    ensure!(status.success(), "it ended with {status}:\n{text}");
    ensure!(started.elapsed() < DEMO_LIMIT, "it took {:?}", started.elapsed());
    for expected in ["unhealthy after", "healthy after", "first answer", "xelb stats"] {
        ensure!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    ensure!(!text.contains('\x1b'), "colours where there is no terminal:\n{text}");
    demo.expect_nothing_left(&before, &loaded)
}

/// It fails by itself if a request fails, or if members do not come and go.
#[test]
fn the_demo_of_scaling_ends_well_and_leaves_nothing() -> anyhow::Result<()> {
    let _machine = shared_machine();
    let before = Traces::now()?;
    let started = Instant::now();
    let mut demo = Demo::start_with("scaling", &["scaling"])?;
    let mut text = demo.read_until(Some("2. "))?;
    let loaded = demo.loaded();
    text.push_str(&demo.read_until(None)?);
    let status = demo.child.wait()?;
    ensure!(status.success(), "it ended with {status}:\n{text}");
    ensure!(started.elapsed() < DEMO_LIMIT, "it took {:?}", started.elapsed());
    for expected in ["starts:", "has joined", "drains:", "has ended", "xelb scale explain"] {
        ensure!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    ensure!(!text.contains('\x1b'), "colours where there is no terminal:\n{text}");
    demo.expect_nothing_left(&before, &loaded)
}

/// Killed, or interrupted, at its start and in busy steps.
#[test]
fn a_demo_that_is_killed_leaves_nothing() -> anyhow::Result<()> {
    let _machine = shared_machine();
    for (signal, heading, delay_ms) in [
        (Signal::SIGKILL, None, 0),
        (Signal::SIGKILL, None, 50),
        (Signal::SIGKILL, None, 250),
        (Signal::SIGKILL, Some("1. "), 0),
        (Signal::SIGKILL, Some("1. "), 300),
        (Signal::SIGKILL, Some("2. "), 500),
        (Signal::SIGINT, Some("2. "), 100),
        (Signal::SIGTERM, Some("3. "), 100),
        (Signal::SIGKILL, Some("5. "), 150),
    ] {
        let point = format!("{signal} {delay_ms} ms after {heading:?}");
        let before = Traces::now()?;
        let mut demo = Demo::start(&point)?;
        if heading.is_some() {
            demo.read_until(heading).with_context(|| point.clone())?;
        }
        thread::sleep(Duration::from_millis(delay_ms));
        let loaded = demo.loaded();
        kill(Pid::from_raw(i32::try_from(demo.child.id())?), signal)?;
        let status = demo.child.wait()?;
        ensure!(!status.success(), "{point}: it ended well");
        demo.expect_nothing_left(&before, &loaded).with_context(|| point.clone())?;
    }
    Ok(())
}
