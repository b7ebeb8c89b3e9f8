//! `xelb-demo`: xelb in a network of its own, shown step by step with measured numbers.
//!
//! It measures and prints; how hosts, servers and clients come about is the harness's business, and
//! how xelb works is not its business at all.

mod chart;
mod https;
mod keep;
mod report;
mod scaling;
mod screen;
mod steps;

use std::{path::PathBuf, process, thread, time::Duration};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use lb_tests::{Xelb, lab};
use nix::sys::signal::{SigSet, Signal};
use screen::Screen;

/// Targets in the network; the last one joins the load balancer late.
const TARGETS: u8 = 4;

/// The demo must end by itself; a step that hangs ends it here.
const LIMIT: Duration = Duration::from_secs(55);

/// Shows xelb at work: a load balancer, targets and clients in network namespaces.
///
/// Nothing on this machine is changed, and nothing is left behind, however the demo ends.
#[derive(Debug, Parser)]
#[command(name = "xelb-demo")]
struct Arguments {
    /// What to show [default: spread, failure, recovery and growth of a fixed group]
    #[arg(value_name = "SCENARIO", conflicts_with = "keep")]
    scenario: Option<Scenario>,
    /// The xelb binary to show [default: the one in this program's directory].
    #[arg(long, value_name = "PATH")]
    xelb: Option<PathBuf>,
    /// Leave the network up at the end, and print commands to play with it; Ctrl-C removes it.
    #[arg(long)]
    keep: bool,
}

/// A demo of its own.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    /// Auto scaling: load rises and falls, and targets come and go with it.
    Scaling,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Before any thread starts, so that all of them leave these signals to one.
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block().context("blocking signals")?;
    watch_signals(signals)?;
    if !arguments.keep {
        watch_time()?;
    }
    let xelb = Xelb::find(arguments.xelb.as_deref())?;
    if let Some(Scenario::Scaling) = arguments.scenario {
        return lab::run(1, move |lab| scaling::run(lab, &xelb, &Screen::new()));
    }
    lab::run(TARGETS, move |lab| {
        let screen = Screen::new();
        let running = steps::run(lab, &xelb, &screen)?;
        if arguments.keep {
            keep::keep(lab, &xelb, &screen)?;
        }
        running.end(lab, &xelb, &screen)
    })
}

/// Ends the demo on a signal. All that the lab is made of goes with the process (see the harness),
/// so there is nothing to take down first.
fn watch_signals(signals: SigSet) -> anyhow::Result<()> {
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Ok(signal) = signals.wait() {
                eprintln!("\nxelb-demo: {signal}: the network and all in it is removed");
                process::exit(128 + signal as i32);
            }
        })
        .context("starting a thread")?;
    Ok(())
}

fn watch_time() -> anyhow::Result<()> {
    thread::Builder::new()
        .name("time".to_owned())
        .spawn(|| {
            thread::sleep(LIMIT);
            eprintln!("\nxelb-demo: not done after {LIMIT:?}, which is a fault: giving up");
            process::exit(1);
        })
        .context("starting a thread")?;
    Ok(())
}
