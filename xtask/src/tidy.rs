//! Checks the rules of the code base that a program can check. Each rule is a pure function from a
//! file to what is wrong with it.

mod rules;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::process::{self, command};
use rules::Finding;

/// Checks every file that git tracks or would track.
pub(crate) fn run() -> Result<()> {
    let workspace = crate::workspace();
    let listed = process::output(command("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut findings = Vec::new();
    let mut checked = 0;
    for path in listed.lines().filter(|path| workspace.join(path).is_file()) {
        let bytes = fs::read(workspace.join(path)).with_context(|| format!("reading {path}"))?;
        match String::from_utf8(bytes) {
            Ok(text) => findings.extend(rules::check_file(path, &text)),
            Err(_) => findings.push(Finding::new(path, 0, "is not text; binaries stay out")),
        }
        checked += 1;
    }
    findings.extend(check_documents(&workspace)?);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {checked} files checked");
        return Ok(());
    }
    bail!("{} findings", findings.len())
}

/// Rules about the documents as a whole.
fn check_documents(workspace: &Path) -> Result<Vec<Finding>> {
    let readme = fs::read_to_string(workspace.join("README.md")).context("README.md")?;
    let changes = fs::read_to_string(workspace.join("CHANGELOG.md")).context("CHANGELOG.md")?;
    let mut documents = Vec::new();
    for entry in fs::read_dir(workspace.join("docs")).context("docs/")? {
        documents.push(entry?.file_name().to_string_lossy().into_owned());
    }
    documents.sort();
    let mut findings = rules::unlinked(&readme, &documents);
    if !changes.contains(env!("CARGO_PKG_VERSION")) {
        findings.push(Finding::new("CHANGELOG.md", 0, "does not name the workspace's version"));
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        if !workspace.join(licence).is_file() {
            findings.push(Finding::new(licence, 0, "is missing"));
        }
    }
    Ok(findings)
}
