//! `cargo xtask demo`: builds `xelb` and the demo, and becomes the demo.
//!
//! What is shown lives in lb-tests, with the lab that it uses; this is only the way there.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::setup;
use crate::workspace::{self, Workspace, is_root};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Passed on to the demo, for instance `scaling` (its own demo) or `--keep` (leaves it up); `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !is_root()? {
        bail!("the demo makes network namespaces and loads BPF programs: run it as root");
    }
    setup::ensure(workspace, setup::LAB_NEEDS)?;
    // Both in one go, so that what they share is compiled once.
    let both = ["--bin", "xelb", "--bin", "xelb-demo"];
    workspace::run(workspace.cargo(["build"]).args(both))?;
    let mut demo = workspace.program_at(&workspace.target_dir.join("debug/xelb-demo"));
    demo.args(&arguments.arguments);
    // This process becomes the demo's: signals reach it, and its exit code is ours.
    let error = demo.exec();
    Err(anyhow!(error).context(format!("cannot run {}", workspace::shown(&demo))))
}
