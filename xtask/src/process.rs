//! Runs other programs.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

/// A command in the workspace.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::workspace());
    command
}

/// Cargo, with the tools of `target/` on its PATH.
pub(crate) fn cargo() -> Command {
    let mut command = command("cargo");
    let tools = crate::workspace().join("target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools).chain(std::env::split_paths(&path));
    // A folder with a colon in its name cannot be on PATH, so joining cannot fail.
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    command
}

/// Runs it to its end; an error names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => bail!("`{shown}` failed with exit code {code}"),
        None => bail!("`{shown}` was ended by a signal"),
    }
}

/// Runs it and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(
        output.status.success(),
        "`{shown}` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Says clearly that root is needed.
pub(crate) fn require_root(what: &str) -> Result<()> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status"))?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let effective = uid.and_then(|ids| ids.split_whitespace().nth(1));
    ensure!(
        effective == Some("0"),
        "{what} makes network namespaces and loads BPF programs: run it as root"
    );
    Ok(())
}
