//! `cargo xtask bench`: builds `xelb` as users build it, measures, and writes docs/benchmarks.*.
//!
//! What is measured lives in `xelb bench` and in lb-tests; here is the order, the comparison and the
//! document. A part is a row of [`part::PARTS`].

mod document;
mod estimates;
mod goal;
pub(crate) mod guard;
mod part;
mod plot;
mod program;
mod tables;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use self::part::Part;
use crate::setup;
use crate::workspace::{Workspace, is_root};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The parts to measure and print; all of them, into docs/benchmarks.*, if none is named
    #[arg(value_name = "PART", value_parser = part::parse)]
    parts: Vec<&'static Part>,

    /// Compare ratios with the bounds in tests/bench/bounds.toml instead, and fail when one is worse
    #[arg(long, conflicts_with = "parts")]
    check: bool,

    /// With --check: a short form, good enough to see what has become much slower
    #[arg(long, requires = "check")]
    quick: bool,
}

/// What parts have measured, by their names.
type Measured = BTreeMap<&'static str, Value>;

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !is_root()? {
        bail!("measuring makes network namespaces and loads BPF programs: run it as root");
    }
    setup::ensure(workspace, setup::BENCH_NEEDS)?;
    if arguments.check {
        let speed = if arguments.quick { guard::Speed::Quick } else { guard::Speed::Whole };
        return guard::check(workspace, speed);
    }
    let whole = arguments.parts.is_empty();
    let mut measured = Measured::new();
    let is_wanted = |part: &&Part| {
        let named = arguments.parts.iter().any(|one| one.name == part.name);
        named || whole && part.section.is_some()
    };
    for part in part::PARTS.iter().filter(is_wanted) {
        println!("==== {}: {}", part.name, part.purpose);
        let value = (part.action)(workspace).with_context(|| format!("bench {}", part.name))?;
        if let Some(section) = part.section {
            println!("{}", section(&value)?);
        }
        keep(workspace, part, &value)?;
        measured.insert(part.name, value);
    }
    if whole {
        document::write(workspace, &measured)?;
    }
    Ok(())
}

/// Keeps what a part has measured, for a look at it.
fn keep(workspace: &Workspace, part: &Part, value: &Value) -> Result<()> {
    let folder = workspace.target_dir.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{}.json", part.name));
    fs::write(&path, serde_json::to_string_pretty(value)?)
        .with_context(|| format!("cannot write {}", path.display()))
}
