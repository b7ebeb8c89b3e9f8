//! Runs the measurements of `tests/bench`, built as users build xelb.

use anyhow::Result;

use crate::{
    process::{self, cargo},
    setup,
};

/// Builds with optimisation and measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    process::require_root("measuring")?;
    setup::build_tools()?;
    setup::lab_tools()?;
    process::run(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--bin",
        "xelb",
        "--bin",
        "xelb-bench",
    ]))?;
    process::run(
        cargo().args(["run", "--quiet", "--release", "--bin", "xelb-bench", "--"]).args(arguments),
    )
}
