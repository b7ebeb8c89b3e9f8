//! Shows xelb on real traffic.

use anyhow::Result;

use crate::{
    process::{self, cargo},
    setup,
};

/// Builds xelb and runs the demo of `tests/demo`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    process::require_root("the demo")?;
    setup::build_tools()?;
    setup::lab_tools()?;
    println!("demo: building xelb");
    process::run(cargo().args(["build", "--quiet", "--bin", "xelb", "--bin", "xelb-demo"]))?;
    process::run(cargo().args(["run", "--quiet", "--bin", "xelb-demo", "--"]).args(arguments))
}
