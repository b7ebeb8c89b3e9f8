//! schemathesis, which asks the API whatever its OpenAPI document allows: a Python environment of its
//! own inside the target directory, with the versions that are checked in.

use std::fs;

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::workspace::{self, Workspace};

/// The versions of it and of all that it needs.
const REQUIREMENTS: &str = "tests/agent/contract/requirements.txt";

/// Makes the environment unless one with these versions is there.
pub(super) fn ensure(workspace: &Workspace) -> Result<Outcome> {
    let folder = workspace.target_dir.join("tools/schemathesis");
    let requirements = workspace.root.join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    // Written when all are in place, so that a setup that was interrupted is done again.
    let installed = folder.join("requirements.txt");
    let what = format!("schemathesis at {}", folder.display());
    if fs::read_to_string(&installed).is_ok_and(|there| there == wanted) {
        return Ok(Outcome::Present(what));
    }
    let mut make = workspace.program("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    workspace::run(&mut make).context("Debian's package python3-venv makes environments")?;
    let mut install = workspace.program_at(&folder.join("bin/pip"));
    install
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
        .arg(&requirements);
    workspace::run(&mut install).context("schemathesis comes from PyPI")?;
    fs::write(&installed, wanted)
        .with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(Outcome::Installed(what))
}
