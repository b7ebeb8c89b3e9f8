//! The manual pages of the package: both programs that people read them with render each one without a
//! warning.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::workspace::{Workspace, output, shown};

/// Sections, and the fewest pages that each has.
const SECTIONS: &[(&str, usize)] = &[("man1", 40), ("man5", 1), ("man8", 3)];

pub(super) fn check(workspace: &Workspace, man: &Path) -> Result<()> {
    let mut pages: Vec<PathBuf> = Vec::new();
    for (section, least) in SECTIONS {
        let folder = man.join(section);
        let found: Vec<PathBuf> = fs::read_dir(&folder)
            .with_context(|| folder.display().to_string())?
            .filter_map(Result::ok)
            // The system has pages of its own.
            .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"xelb"))
            .map(|entry| entry.path())
            .collect();
        ensure!(found.len() >= *least, "{}: only {} pages", folder.display(), found.len());
        pages.extend(found);
    }
    pages.sort();
    // It judges style, too, which is a matter of taste: the titles of our pages are not in capitals.
    for page in &pages {
        // mandoc of Debian does not read compressed pages.
        let mut text = workspace.program("gzip");
        text.args(["--decompress", "--stdout"]).arg(page).stdout(Stdio::piped());
        let mut text = text.spawn().with_context(|| format!("cannot read {}", page.display()))?;
        let mut lint = workspace.program("mandoc");
        lint.args(["-T", "lint", "-W", "warning"]).stdin(text.stdout.take().context("no output")?);
        silent(&mut lint).with_context(|| page.display().to_string())?;
        ensure!(text.wait()?.success(), "{} cannot be unpacked", page.display());
        let mut read = workspace.program("man");
        read.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").args(["--warnings", "--local-file"]);
        silent(read.arg(page))?;
    }
    let mut keys = workspace.program("man");
    keys.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").arg("--local-file");
    let text = output(keys.arg(man.join("man5/xelb.yaml.5.gz")))?;
    ensure!(text.contains("target_groups[].targets[].weight whole number"), "xelb.yaml(5): {text}");
    Ok(())
}

/// Runs a program that has nothing to say about its pages.
fn silent(command: &mut Command) -> Result<()> {
    let result = command.output().with_context(|| format!("cannot run {}", shown(command)))?;
    let errors = String::from_utf8_lossy(&result.stderr);
    // mandoc writes what it finds to the standard output, man the page.
    let found =
        if result.status.success() { errors } else { String::from_utf8_lossy(&result.stdout) };
    ensure!(result.status.success() && found.is_empty(), "{}: {found}", shown(command));
    Ok(())
}
