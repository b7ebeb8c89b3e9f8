//! The walk of docs/operations.md in a booted container: every block of commands of the page, in its
//! order. What there is around it (hosts, stand-ins) is in tests/package/walk.sh.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::clean::CleanRoot;
use super::container;
use super::page::{self, Commands, Step};
use crate::workspace::{Workspace, output};

const PAGE: &str = "docs/operations.md";

/// The packages that the page installs: the one that was built, and the same as a newer version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const NEWER: &str = "0.2.0";

/// Walks in a system that has nothing of xelb yet.
pub(super) fn run(workspace: &Workspace, root: &CleanRoot, package: &Path) -> Result<()> {
    let page = fs::read_to_string(workspace.root.join(PAGE)).context(PAGE)?;
    let steps = page::steps(&page).context(PAGE)?;
    let walk = root.path().join("lab/walk");
    fs::create_dir_all(&walk)?;
    fs::write(walk.join("plan"), write_steps(&steps, &walk)?)?;
    let stand_ins = root.path().join("lab/stand-ins");
    fs::create_dir_all(&stand_ins)?;
    for entry in fs::read_dir(workspace.root.join("tests/package/stand-ins"))? {
        let entry = entry?;
        let copy = stand_ins.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    }
    let home = root.path().join("root");
    fs::copy(package, home.join(format!("xelb_{VERSION}_amd64.deb"))).context("the package")?;
    newer(workspace, package, &home.join(format!("xelb_{NEWER}_amd64.deb")))?;
    container::run(workspace, root, "walk.sh")
}

/// Writes what each step needs into files; gives the plan, a step a line.
fn write_steps(steps: &[Step], folder: &Path) -> Result<String> {
    let mut plan = String::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::File { path, text } => {
                fs::write(folder.join(number.to_string()), text)?;
                writeln!(plan, "file {number} {path}")?;
            }
            Step::Run(Commands { line, host, exit, text, prints }) => {
                fs::write(folder.join(number.to_string()), text)?;
                if let Some(pattern) = prints {
                    fs::write(folder.join(format!("{number}.prints")), pattern)?;
                }
                let again = if only_looks(text) { "again" } else { "once" };
                writeln!(plan, "run {number} {line} {} {exit} {again}", host.name())?;
            }
        }
    }
    Ok(plan)
}

/// Commands that change nothing: they are run again until they print what the page shows.
fn only_looks(text: &str) -> bool {
    const LOOKS: &[&str] = &[
        "xelb status",
        "xelb get",
        "xelb stats",
        "xelb events",
        "xelb doctor",
        "xelb explain",
        "systemctl status",
        "journalctl",
        "curl",
        "promtool query",
        "ip -brief",
    ];
    text.lines().all(|line| LOOKS.iter().any(|look| line.starts_with(look)))
}

/// The same package with another version.
fn newer(workspace: &Workspace, package: &Path, to: &Path) -> Result<()> {
    let tree = to.with_extension("tree");
    output(workspace.program("dpkg-deb").arg("--raw-extract").arg(package).arg(&tree))?;
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control)?;
    fs::write(
        &control,
        text.replace(&format!("Version: {VERSION}\n"), &format!("Version: {NEWER}\n")),
    )?;
    let mut pack = workspace.program("dpkg-deb");
    output(pack.args(["--root-owner-group", "-Zgzip", "-z1", "--build"]).arg(&tree).arg(to))?;
    fs::remove_dir_all(&tree)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_change_state_are_run_once() {
        let cases = [
            ("xelb status\n", true),
            ("xelb get targets\nxelb stats\n", true),
            ("xelb status\nsystemctl restart xelb-agent\n", false),
            ("curl --silent http://203.0.113.10/\n", true),
            ("xelb target drain web 10.0.1.11\n", false),
        ];
        for (text, expected) in cases {
            assert_eq!(only_looks(text), expected, "{text}");
        }
    }

    #[test]
    fn steps_become_files_and_a_plan() {
        let folder = tempfile::tempdir().unwrap();
        let steps = page::steps(
            "<!-- file: /etc/f -->\n```text\nx\n```\n\n```sh\nxelb status\n```\n\n<!-- prints -->\n\
             ```text\ny\n```\n",
        )
        .unwrap();
        let plan = write_steps(&steps, folder.path()).unwrap();
        assert_eq!(plan, "file 0 /etc/f\nrun 1 6 balancer 0 again\n");
        assert_eq!(fs::read_to_string(folder.path().join("0")).unwrap(), "x\n");
        assert!(folder.path().join("1.prints").is_file());
    }
}
