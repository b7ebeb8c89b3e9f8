//! The stage `dependencies`: licences, duplicate versions, sources and known faults of the crates that xelb is
//! made of, by cargo-deny. deny.toml says what is allowed.

use anyhow::{Result, ensure};

use super::stage::Environment;
use crate::workspace::{Workspace, run};

/// Brings the crates here whose licences are read. Only a fresh machine has them not.
const FETCH: [&str; 2] = ["fetch", "--locked"];

/// What is looked at without asking anybody.
const OFFLINE: [&str; 5] = ["--offline", "check", "bans", "licenses", "sources"];

/// What cargo-deny says when the database of known faults cannot be had.
const UNREACHABLE: &str = "failed to fetch advisory database";

pub(super) fn check(on: &Environment<'_>) -> Result<()> {
    run(&mut on.workspace.cargo(FETCH))?;
    run(cargo_deny(on.workspace).args(OFFLINE))?;
    let advisories = cargo_deny(on.workspace).args(["check", "advisories"]).output()?;
    let text = String::from_utf8_lossy(&advisories.stderr).into_owned();
    print!("{}", String::from_utf8_lossy(&advisories.stdout));
    if is_unreachable(&text) {
        println!(
            "dependencies: KNOWN FAULTS WERE NOT LOOKED FOR: the database of RustSec cannot be reached \
             from here; `cargo xtask test dependencies` where it can"
        );
        return Ok(());
    }
    print!("{text}");
    ensure!(advisories.status.success(), "a crate has a known fault, or was withdrawn");
    Ok(())
}

fn cargo_deny(workspace: &Workspace) -> std::process::Command {
    let mut command = workspace.program_at(&workspace.target_dir.join("tools/bin/cargo-deny"));
    command.current_dir(&workspace.root);
    command
}

fn is_unreachable(text: &str) -> bool {
    text.contains(UNREACHABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_database_is_no_failure() {
        assert!(is_unreachable(
            "2026-11-29 [ERROR] failed to fetch advisory database https://x with cli: failed to clone"
        ));
        assert!(!is_unreachable("error[vulnerability]: RUSTSEC-2026-0001"));
    }
}
