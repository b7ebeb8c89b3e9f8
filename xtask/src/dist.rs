//! `cargo xtask dist`: what people download, in target/dist. The same commit gives the same bytes.
//!
//! A static tarball, the Debian package, an OCI image, a bill of materials, and the checksums of all.

mod archive;
mod bill_of_materials;
mod build;
mod checksums;
mod image;

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::package;
use crate::setup;
use crate::workspace::{Workspace, human, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only pack again what an earlier run has built
    #[arg(long)]
    no_build: bool,
}

/// What the files are of.
pub(super) struct Release {
    version: &'static str,
    /// Of the commit.
    revision: String,
    /// When the commit was made, in seconds since 1970: the time of every file.
    epoch: String,
    /// The same, as RFC 3339 has it.
    created: String,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    setup::ensure(workspace, setup::DIST_NEEDS)?;
    let start = Instant::now();
    let release = Release::read(workspace)?;
    let static_program = build::Kind::Static.program(workspace);
    let shared_program = build::Kind::Shared.program(workspace);
    if !arguments.no_build {
        build::Kind::Static.build(workspace, &release)?;
        build::Kind::Shared.build(workspace, &release)?;
    }
    let folder = workspace.target_dir.join("dist");
    pack(workspace, &static_program, &shared_program, &release, &folder)?;
    println!("dist: {} ({})", folder.display(), human(start.elapsed()));
    print!("{}", checksums::of(&folder)?);
    Ok(())
}

/// Makes every file of a release in an empty folder.
fn pack(
    workspace: &Workspace,
    static_program: &Path,
    shared_program: &Path,
    release: &Release,
    folder: &Path,
) -> Result<()> {
    build::check_static(static_program)?;
    package::remake(folder)?;
    let Release { version, epoch, .. } = release;
    let work = workspace.target_dir.join("dist-work");
    package::remake(&work)?;

    let name = format!("xelb-{version}-{ARCH}-linux-musl");
    let tree = work.join(&name);
    package::put_files(workspace, static_program, &tree)?;
    let tar = archive::tar(&work, &name, &folder.join(format!("{name}.tar")), epoch)?;
    archive::gzip(&tar)?;

    let root = work.join("image");
    image::put_files(&tree, &root)?;
    image::pack(&root, &work, &folder.join(format!("xelb-{version}-{ARCH}-oci.tar")), release)?;

    let package = package::pack_at(workspace, shared_program, Some("dist"), epoch)?;
    let file = package.file_name().context("a package without a name")?;
    fs::copy(&package, folder.join(file)).context("copying the package")?;

    let bill = bill_of_materials::of(workspace, release)?;
    fs::write(folder.join(format!("xelb-{version}.cdx.json")), bill).context("writing the SBOM")?;
    let sums = checksums::of(folder)?;
    fs::write(folder.join(checksums::FILE), sums).context("writing the checksums")?;
    fs::remove_dir_all(&work).context("removing what the files were made of")
}

impl Release {
    fn read(workspace: &Workspace) -> Result<Self> {
        let git = |arguments: &[&str]| output(workspace.program("git").args(arguments));
        let changed = git(&["status", "--porcelain"])?;
        if !changed.is_empty() {
            println!("dist: these files are not as in the commit, so nobody can make the same:");
            print!("{changed}");
        }
        let epoch = git(&["log", "-1", "--format=%ct"])?.trim().to_owned();
        let mut date = workspace.program("date");
        date.env("LC_ALL", "C").args(["--utc", "--date", &format!("@{epoch}"), "+%FT%TZ"]);
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: git(&["rev-parse", "HEAD"])?.trim().to_owned(),
            created: output(&mut date)?.trim().to_owned(),
            epoch,
        })
    }
}

/// The files of a folder with their names, in order; it has no folders.
fn files_of(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        ensure!(path.is_file(), "{} is no file", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, path));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
pub(super) fn example() -> Release {
    Release {
        version: "1.2.3",
        revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        epoch: "1700000000".to_owned(),
        created: "2023-11-14T22:13:20Z".to_owned(),
    }
}
