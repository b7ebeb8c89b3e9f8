//! `cargo xtask bench`: builds `xelb` and its measurements as users build it, and measures.
//!
//! What is measured lives in lb-tests; this is only the way there.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::setup;
use crate::workspace::{self, Workspace, is_root};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Passed on, for instance `datapath`; `-- --help` lists what can be measured
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !is_root()? {
        bail!("measuring makes network namespaces and loads BPF programs: run it as root");
    }
    setup::ensure(workspace, setup::BENCH_NEEDS)?;
    let build = ["build", "--quiet", "--release", "--package", "lb-userspace"];
    workspace::run(&mut workspace.cargo(build))?;
    let run = ["run", "--quiet", "--release", "--package", "lb-tests"];
    let mut bench = workspace.cargo(run);
    bench.args(["--bin", "xelb-bench", "--"]).args(&arguments.arguments);
    let error = bench.exec();
    Err(anyhow!(error).context(format!("cannot run {}", workspace::shown(&bench))))
}
