//! `cargo xtask package`: the Debian package, of what the workspace builds and of `deploy/`.
//!
//! It needs no debhelper: `dpkg-deb` packs a tree that is made here.

mod content;
mod control;
mod licences;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

pub(crate) use licences::{BPF_FEATURE, linked_crates};

use crate::setup;
use crate::workspace::{Workspace, output, run as run_command};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Profile of Cargo that the binary is built with
    #[arg(long, value_name = "PROFILE", default_value = "release")]
    profile: String,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    setup::ensure(workspace, setup::BPF_NEEDS)?;
    let profile = arguments.profile.as_str();
    let cargo = ["build", "--package", "lb-userspace", "--bin", "xelb", "--profile", profile];
    run_command(&mut workspace.cargo(cargo))?;
    let folder = match profile {
        "dev" => "debug",
        other => other,
    };
    let xelb = workspace.target_dir.join(folder).join("xelb");
    // A package of another profile must not pass for the real one.
    let package = pack(workspace, &xelb, Some(profile).filter(|profile| *profile != "release"))?;
    println!("package: {}", package.display());
    Ok(())
}

/// Packs a binary with all that belongs to it, into a separate folder if that has a name; gives the
/// package's path. Its files are as old as the version.
pub(crate) fn pack(workspace: &Workspace, xelb: &Path, folder: Option<&str>) -> Result<PathBuf> {
    let epoch = Names::read(workspace)?.epoch;
    pack_at(workspace, xelb, folder, &epoch)
}

/// The same, with files of that time, in seconds since 1970.
pub(crate) fn pack_at(
    workspace: &Workspace,
    xelb: &Path,
    folder: Option<&str>,
    epoch: &str,
) -> Result<PathBuf> {
    let packages = workspace.target_dir.join("package");
    let packages = folder.map_or_else(|| packages.clone(), |folder| packages.join(folder));
    let tree = packages.join("tree");
    remake(&tree)?;
    let names = Names::read(workspace)?;
    content::put(workspace, xelb, &tree, &names)?;
    control::put(workspace, xelb, &tree, &names)?;
    let Names { version, architecture, .. } = &names;
    let package = packages.join(format!("xelb_{version}_{architecture}.deb"));
    let mut pack = workspace.program("dpkg-deb");
    pack.args(["--root-owner-group", "--build"]).arg(&tree).arg(&package);
    // Times of this moment would make another package of the same sources.
    pack.env("SOURCE_DATE_EPOCH", epoch);
    output(&mut pack)?;
    Ok(package)
}

/// Puts everything that is installed into a tree.
pub(crate) fn put_files(workspace: &Workspace, xelb: &Path, tree: &Path) -> Result<()> {
    content::put(workspace, xelb, tree, &Names::read(workspace)?)
}

/// What the package is called.
struct Names {
    version: String,
    /// In Debian's words.
    architecture: String,
    /// When this version came, in seconds since 1970.
    epoch: String,
    /// The same as a changelog of Debian has it.
    date: String,
}

impl Names {
    fn read(workspace: &Workspace) -> Result<Self> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let architecture = output(workspace.program("dpkg").arg("--print-architecture"))?;
        let changelog = read(&workspace.root.join("CHANGELOG.md"))?;
        let day = day_of(&changelog, &version)
            .with_context(|| format!("CHANGELOG.md has no day for {version}"))?;
        let date = |format| {
            let mut date = workspace.program("date");
            date.env("LC_ALL", "C").args(["--utc", "--date", day, format]);
            output(&mut date).map(|text| text.trim().to_owned())
        };
        let (epoch, date) = (date("+%s")?, date("+%a, %d %b %Y %H:%M:%S +0000")?);
        Ok(Self { version, architecture: architecture.trim().to_owned(), epoch, date })
    }
}

/// The day behind a version's heading, `## [0.1.0] - 2026-11-23`.
fn day_of<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    let heading = format!("## [{version}] - ");
    changelog.lines().find_map(|line| line.strip_prefix(&heading)).map(str::trim)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// An empty folder, whatever was there before.
pub(crate) fn remake(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_its_day() {
        let changelog =
            "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-02\n\n## [0.1.0] - x\n";
        let cases = [("0.2.0", Some("2027-01-02")), ("0.1.0", Some("x")), ("0.3.0", None)];
        for (version, expected) in cases {
            assert_eq!(day_of(changelog, version), expected, "{version}");
        }
    }
}
