//! The stage `package`: the Debian package on clean systems, made of Debian's own packages.
//!
//! First in a folder, with dpkg alone: files, removal. Then booted, as an operator uses it: by a script
//! of its own, and by every command of docs/operations.md.

mod clean;
mod container;
mod expected;
mod manual;
mod page;
mod walk;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use self::clean::CleanRoot;
use super::stage::Environment;
use crate::package;
use crate::workspace::{Workspace, human, output};

/// Path of the package in a clean system.
const PACKAGE: &str = "lab/xelb.deb";

/// Some files of each kind: type, mode, owner, path.
const INSTALLED: &[&str] = &[
    "f 644 root root ./etc/default/xelb",
    "d 755 root root ./etc/xelb",
    "f 640 root root ./etc/xelb/xelb.yaml",
    "f 755 root root ./usr/bin/xelb",
    "f 644 root root ./usr/lib/systemd/system/xelb-agent.service",
    "f 644 root root ./usr/lib/systemd/system/xelb-decap@.service",
    "f 644 root root ./usr/lib/systemd/system/xelb-proxy.service",
    "f 644 root root ./usr/lib/systemd/system-preset/50-xelb.preset",
    "f 644 root root ./usr/share/bash-completion/completions/xelb",
    "f 644 root root ./usr/share/doc/xelb/copyright",
    "f 644 root root ./usr/share/doc/xelb/docs/operations.md",
    "f 644 root root ./usr/share/doc/xelb/third-party-licences.gz",
    "f 755 root root ./usr/share/xelb/drivers/local-processes",
    "f 755 root root ./usr/share/xelb/drivers/proxmox",
    "f 644 root root ./usr/share/fish/vendor_completions.d/xelb.fish",
    "f 644 root root ./usr/share/man/man1/xelb-target-add.1.gz",
    "f 644 root root ./usr/share/man/man1/xelb.1.gz",
    "f 644 root root ./usr/share/man/man5/xelb.yaml.5.gz",
    "f 644 root root ./usr/share/man/man8/xelb-agent.8.gz",
    "f 755 root root ./usr/share/xelb/keepalived/check-xelb",
    "f 755 root root ./usr/share/xelb/keepalived/notify-xelb",
    "f 644 root root ./usr/share/zsh/vendor-completions/_xelb",
];

pub(super) fn run(on: &Environment<'_>) -> Result<()> {
    let xelb = on.workspace.build_for_tests()?;
    let package = package::pack(on.workspace, &xelb, Some("tests"))?;
    let root = CleanRoot::unpack(on.workspace)?;
    // Time for the tests begins here: building and downloading are over.
    let start = Instant::now();
    let lab = root.path().join("lab");
    fs::create_dir_all(&lab)?;
    fs::copy(&package, root.path().join(PACKAGE)).context("copying the package")?;
    let before = listing(on.workspace, &root)?;
    installed_files(on.workspace, &root, &before)?;
    programs(&root)?;
    manual::check(on.workspace, &root.path().join("usr/share/man"))?;
    units(on.workspace, &root)?;
    alerts(&root)?;
    configuration_is_kept(&root)?;
    removal(on.workspace, &root, &before)?;
    println!("package: install, upgrade, remove, purge ({})", human(start.elapsed()));
    let start = Instant::now();
    root.output("dpkg", &["--install", PACKAGE])?;
    container::run(on.workspace, &root, "systemd.sh")?;
    println!("package: under systemd ({})", human(start.elapsed()));
    drop(root);
    let start = Instant::now();
    walk::run(on.workspace, &CleanRoot::unpack(on.workspace)?, &package)?;
    println!("package: the walk of docs/operations.md ({})", human(start.elapsed()));
    Ok(())
}

/// Everything in a system but what dpkg itself keeps: type, mode, owner, group, path.
fn listing(workspace: &Workspace, root: &CleanRoot) -> Result<BTreeSet<String>> {
    let mut find = workspace.program("find");
    find.current_dir(root.path()).args([".", "-xdev"]);
    for skipped in ["./var/lib/dpkg", "./var/log", "./var/cache", "./lab"] {
        find.args(["-path", skipped, "-prune", "-o"]);
    }
    let text = output(find.args(["-printf", "%y %m %u %g %p\n"]))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn installed_files(
    workspace: &Workspace,
    root: &CleanRoot,
    before: &BTreeSet<String>,
) -> Result<()> {
    root.output("dpkg", &["--install", PACKAGE])?;
    let now = listing(workspace, root)?;
    for line in INSTALLED {
        ensure!(now.contains(*line), "not there, or not so: {line}");
    }
    for line in now.difference(before) {
        ensure!(line.split(' ').skip(2).take(2).all(|who| who == "root"), "whose is that? {line}");
    }
    let gone: Vec<&String> = before.difference(&now).collect();
    ensure!(gone.is_empty(), "an installation changes {gone:?}");
    for check in ["--audit", "--verify"] {
        let said = root.output("dpkg", &[check])?;
        ensure!(said.is_empty(), "dpkg {check}: {said}");
    }
    Ok(())
}

/// What is installed runs with the libraries that are there, and can be read.
fn programs(root: &CleanRoot) -> Result<()> {
    let version = root.output("xelb", &["--version"])?;
    ensure!(version.trim() == concat!("xelb ", env!("CARGO_PKG_VERSION")), "{version}");
    let help = root.output("xelb", &["--help"])?;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // A command is indented by two; a continued line, by more.
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|command| !command.is_empty())
        .filter(|command| *command != "help")
        .collect();
    ensure!(commands.len() > 5, "{commands:?} of {help}");
    for command in commands {
        let section = if ["agent", "decap", "proxy"].contains(&command) { 8 } else { 1 };
        let page = format!("/usr/share/man/man{section}/xelb-{command}.{section}.gz");
        let text = root.output("zcat", &[&page])?;
        ensure!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    root.output("bash", &["-n", "/usr/share/bash-completion/completions/xelb"])?;
    let script = "source /usr/share/bash-completion/completions/xelb
        COMP_WORDS=(xelb target dr); COMP_CWORD=2; _clap_complete_xelb xelb dr target; echo ${COMPREPLY[@]}";
    let completed = root.output("bash", &["-c", script])?;
    ensure!(completed.trim() == "drain", "completed: {completed}");
    Ok(())
}

fn units(workspace: &Workspace, root: &CleanRoot) -> Result<()> {
    let names = ["xelb-agent.service", "xelb-decap@eth0.service", "xelb-proxy.service"];
    let mut verify = workspace.program("systemd-analyze");
    verify.args(["verify", "--man=no", "--root"]).arg(root.path()).args(names);
    // It succeeds when it says that a key is unknown.
    let result = verify.output().context("cannot run systemd-analyze")?;
    let said = String::from_utf8_lossy(&result.stderr);
    ensure!(result.status.success() && said.is_empty(), "systemd-analyze verify: {said}");
    // In tenths; a service without any of this has 96. The agent may become another user, so that programs of
    // checks have fewer privileges than it has itself.
    let thresholds = ["--threshold=33", "--threshold=30", "--threshold=30"];
    for (name, threshold) in names.into_iter().zip(thresholds) {
        let mut security = workspace.program("systemd-analyze");
        security.args(["security", "--offline=yes", "--no-pager", threshold, "--root"]);
        output(security.arg(root.path()).arg(name))
            .with_context(|| format!("{name} is less confined than it was"))?;
    }
    Ok(())
}

/// Each alert fires when it should; see docs/metrics.md.
fn alerts(root: &CleanRoot) -> Result<()> {
    let tests = "/usr/share/xelb/prometheus/xelb.rules.test.yaml";
    let said = root.output("promtool", &["test", "rules", tests])?;
    ensure!(said.contains("SUCCESS"), "promtool test rules: {said}");
    Ok(())
}

/// Files that the operator has changed are kept; the others are replaced by the package's.
fn configuration_is_kept(root: &CleanRoot) -> Result<()> {
    let options = root.path().join("etc/default/xelb");
    let own = "XELB_AGENT_OPTIONS=\"--state-dir /var/lib/xelb\"\n";
    fs::write(&options, own)?;
    root.output("dpkg", &["--install", PACKAGE])?;
    ensure!(fs::read_to_string(&options)? == own, "an upgrade replaces /etc/default/xelb");
    Ok(())
}

fn removal(workspace: &Workspace, root: &CleanRoot, before: &BTreeSet<String>) -> Result<()> {
    // What running it would have left, and enabling it.
    let state = root.path().join("var/lib/xelb");
    fs::create_dir_all(&state)?;
    fs::write(state.join("state.json"), "{}")?;
    let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
    let link = wants.join("xelb-agent.service");
    std::os::unix::fs::symlink("/lib/systemd/system/xelb-agent.service", &link)?;
    root.output("dpkg", &["--remove", "xelb"])?;
    let left = |path: &str| root.path().join(path).exists();
    ensure!(!left("usr/bin/xelb") && !left("usr/share/doc/xelb"), "a removal leaves files");
    ensure!(
        left("etc/xelb/xelb.yaml") && left("var/lib/xelb/state.json"),
        "a removal takes what an operator has made"
    );
    root.output("dpkg", &["--purge", "xelb"])?;
    let now = listing(workspace, root)?;
    let changed: Vec<&String> = now.symmetric_difference(before).collect();
    ensure!(changed.is_empty(), "after a purge, this is not as it was: {changed:?}");
    ensure!(!Path::new(&link).is_symlink(), "the link stays");
    Ok(())
}
