//! A clean system, booted: systemd runs the units in a container with a network of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::clean::CleanRoot;
use crate::workspace::Workspace;

/// The unit that runs a script; in tests/package, as the scripts are.
const UNIT: &str = "lab.service";

/// Longer than it ever takes, in seconds.
const LIMIT: &str = "200";

/// Lines of a script that fails which its error repeats.
const LINES_SHOWN: usize = 40;

/// Boots the system, runs a script, and waits for the end. The script's last line, if all went well,
/// is `NAME: all is well`.
pub(super) fn run(workspace: &Workspace, root: &CleanRoot, script: &str) -> Result<()> {
    let from = workspace.root.join("tests/package");
    let lab = root.path().join("lab");
    fs::create_dir_all(&lab)?;
    fs::copy(from.join(script), lab.join(script)).with_context(|| script.to_owned())?;
    let units = root.path().join("etc/systemd/system");
    let unit = fs::read_to_string(from.join(UNIT)).context(UNIT)?;
    fs::write(units.join(UNIT), unit.replace("SCRIPT", script)).context(UNIT)?;
    let wants = units.join("default.target.wants");
    fs::create_dir_all(&wants)?;
    symlink(Path::new("..").join(UNIT), wants.join(UNIT))?;
    // The container gets its own bpffs: containers do not mount one.
    let bpffs = lab.join("bpffs");
    fs::create_dir_all(&bpffs)?;
    let boot = "mount -t bpf bpf \"$1\" && exec timeout --kill-after=20 \"$3\" \
                systemd-nspawn --quiet --boot --directory=\"$2\" --keep-unit --register=no \
                --private-network --capability=all --system-call-filter=bpf \
                --bind=/dev/net/tun --bind=\"$1\":/sys/fs/bpf --console=pipe";
    let mut unshare = workspace.program("unshare");
    unshare.args(["--mount", "sh", "-c", boot, "sh"]).arg(&bpffs).arg(root.path()).arg(LIMIT);
    let container = unshare.stdin(std::process::Stdio::null()).output();
    let container = container.context("cannot run unshare")?;
    let said = fs::read_to_string(lab.join("log")).unwrap_or_default();
    print!("{said}");
    let console = || String::from_utf8_lossy(&container.stdout).into_owned();
    let errors = || String::from_utf8_lossy(&container.stderr).into_owned();
    ensure!(!said.is_empty(), "the container does not boot: {}{}", console(), errors());
    let closing = format!("{script}: all is well");
    ensure!(
        said.lines().last() == Some(&closing),
        "under systemd, {script} fails:\n{}",
        last_lines(&said, LINES_SHOWN)
    );
    Ok(())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
