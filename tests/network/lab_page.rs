//! docs/lab.md: whoever pastes its blocks into a shell gets a lab that works, and no trace of it at the end.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{Xelb, requirements::search_path};

const PAGE: &str = include_str!("../../docs/lab.md");

/// Longer than the page ever takes, in seconds.
const LIMIT: &str = "100";

/// Private mounts, so that its namespaces and maps have no names outside; and private processes, all of
/// which end with the first one.
const PRIVATE: &[&str] = &["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// The blocks that are pasted into a shell.
fn script() -> Vec<&'static str> {
    let blocks = PAGE.split("\n```sh\n").skip(1);
    blocks.filter_map(|block| block.split("\n```").next()).collect()
}

/// How many requests a target has answered in a printed block.
fn answered(line: &str, target: &str) -> Option<u32> {
    line.trim().strip_suffix(&format!(" answer of {target}"))?.trim().parse().ok()
}

#[test]
fn the_blocks_of_the_page_make_a_lab_that_serves() -> Result<()> {
    let xelb = Xelb::find(None)?;
    let folder = tempfile::tempdir()?;
    let lab = folder.path().join("lab").display().to_string();
    let blocks = script();
    ensure!(blocks.len() == 6, "{} blocks", blocks.len());
    let text = blocks.join("\n").replace("lab=/tmp/xelb-lab", &format!("lab={lab}"));
    ensure!(text.contains(&lab), "the page has another folder");
    let head =
        "mkdir -p /run/netns; mount -t tmpfs none /run/netns; mount -t bpf bpf /sys/fs/bpf\n";
    let file = folder.path().join("script");
    fs::write(&file, format!("set -e\n{head}{text}\necho left: $(ls /run/netns)\n"))?;
    let programs = xelb.program().parent().unwrap_or(Path::new("/")).display().to_string();
    let mut shell = Command::new("timeout");
    shell.args(["--kill-after=5", LIMIT, "unshare"]).args(PRIVATE).arg("bash").arg(&file);
    shell.env("PATH", format!("{programs}:{}", search_path()));
    for name in env::vars().map(|(name, _)| name).filter(|name| name.starts_with("XELB_")) {
        shell.env_remove(name);
    }
    let output = shell.output().context("timeout")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}{errors}", output.status);
    let of = |target| said.lines().filter_map(|line| answered(line, target)).collect::<Vec<_>>();
    let (first, second) = (of("t1"), of("t2"));
    ensure!(first.len() == 1 && second.len() == 2, "who has answered? {said}");
    ensure!(first[0] + second[0] == 40 && second[1] == 10, "not all are answered: {said}");
    ensure!(said.contains("0 errors, "), "xelb doctor: {said}");
    ensure!(said.lines().any(|line| line.trim_end() == "left:"), "namespaces are left: {said}");
    ensure!(!Path::new(&lab).exists(), "files are left");
    Ok(())
}
