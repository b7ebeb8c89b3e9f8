//! cargo-deny, which looks at the crates that xelb is made of; built inside the target directory.

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::workspace::{self, Workspace};

/// The version that deny.toml is written for.
const VERSION: &str = "0.20.2";

/// Installs cargo-deny below the target directory unless it is there.
pub(super) fn ensure(workspace: &Workspace) -> Result<Outcome> {
    let program = workspace.target_dir.join("tools/bin/cargo-deny");
    let what = format!("cargo-deny {VERSION} at {}", program.display());
    let wanted = format!("cargo-deny {VERSION}");
    let is_wanted = |text: String| text.trim() == wanted;
    let mut version = workspace.program_at(&program);
    if program.is_file() && workspace::output(version.arg("--version")).is_ok_and(is_wanted) {
        return Ok(Outcome::Present(what));
    }
    println!("setup: building cargo-deny {VERSION}: about a minute");
    let build_dir = workspace.target_dir.join("cargo-deny");
    // Without optimisation: it runs for a second.
    let mut install = workspace.cargo(["install", "cargo-deny", "--locked", "--force", "--quiet"]);
    install
        .args(["--version", VERSION, "--no-default-features", "--debug", "--root"])
        .arg(workspace.target_dir.join("tools"))
        .env("CARGO_TARGET_DIR", &build_dir)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    let result = workspace::run(&mut install)
        .context("cargo-deny was not built; it needs a C linker (Debian: gcc) and crates.io");
    if build_dir.exists() {
        std::fs::remove_dir_all(&build_dir)
            .with_context(|| format!("cannot remove {}", build_dir.display()))?;
    }
    result?;
    Ok(Outcome::Installed(what))
}
