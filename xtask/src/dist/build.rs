//! Builds the programs of a release: without paths and times of this machine in them.

use std::env::{self, consts::ARCH};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use object::{Object as _, ObjectSection as _};

use super::Release;
use crate::setup::rust;
use crate::workspace::{Workspace, run};

/// How a program is linked to the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Statically, to musl: it runs everywhere.
    Static,
    /// Dynamically, to glibc, as programs of a Debian package are.
    Shared,
}

impl Kind {
    /// In rustc's words.
    fn target(self) -> String {
        match self {
            Self::Static => format!("{ARCH}-unknown-linux-musl"),
            Self::Shared => format!("{ARCH}-unknown-linux-gnu"),
        }
    }

    /// Where Cargo leaves it.
    pub(super) fn program(self, workspace: &Workspace) -> PathBuf {
        workspace.target_dir.join(self.target()).join("release/xelb")
    }

    pub(super) fn build(self, workspace: &Workspace, release: &Release) -> Result<()> {
        let target = self.target();
        println!("dist: building for {target}");
        let mut cargo = workspace.cargo(["build", "--locked", "--release", "--package"]);
        cargo.args(["lb-userspace", "--bin", "xelb", "--target", &target]);
        let paths = private_paths(workspace, &rust::sysroot(workspace)?);
        let flags = |option: &str, between: &str| {
            let flags: Vec<String> =
                paths.iter().map(|(path, name)| format!("{option}={path}={name}")).collect();
            flags.join(between)
        };
        // Cargo separates the words of this variable by a control character.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags("--remap-path-prefix", "\u{1f}"));
        let variable = |name: &str| format!("{name}_{}", target.replace('-', "_"));
        cargo.env(variable("CFLAGS"), flags("-ffile-prefix-map", " "));
        cargo.env("SOURCE_DATE_EPOCH", &release.epoch);
        if self == Self::Static {
            cargo.env(variable("CC"), "musl-gcc");
        }
        run(&mut cargo)
    }
}

/// Folders of this machine, and what stands in a program for them.
fn private_paths(workspace: &Workspace, sysroot: &Path) -> Vec<(String, &'static str)> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let mut paths = vec![(workspace.root.display().to_string(), "/xelb")];
    paths.extend(home.map(|home| (home.display().to_string(), "/cargo")));
    // Of the sources of the standard library, where they are installed.
    paths.push((sysroot.display().to_string(), "/rust"));
    paths
}

/// Whether a program needs no other file to run.
pub(super) fn check_static(program: &Path) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| program.display().to_string())?;
    let loaded = file.sections().find(|section| section.name() == Ok(".interp"));
    ensure!(loaded.is_none(), "{} is not linked statically", program.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_not_static() {
        let own = env::current_exe().unwrap();
        let error = check_static(&own).unwrap_err().to_string();
        assert!(error.ends_with("is not linked statically"), "{error}");
    }

    #[test]
    fn programs_have_their_own_folders() {
        let workspace = Workspace { root: "/w".into(), target_dir: "/t".into() };
        let place = Kind::Static.program(&workspace).display().to_string();
        assert!(place.starts_with("/t/") && place.ends_with("-linux-musl/release/xelb"), "{place}");
        let paths = private_paths(&workspace, Path::new("/r"));
        assert!(paths.contains(&("/w".to_owned(), "/xelb")));
        assert!(paths.contains(&("/r".to_owned(), "/rust")));
    }
}
