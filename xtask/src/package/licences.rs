//! Licences: xelb's own, in Debian's form, and those of the crates that are linked into it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::read;
use crate::workspace::{Workspace, output};

/// What the BPF programs, which are in xelb, are built with.
pub(crate) const BPF_FEATURE: &str = "--features=lb-ebpf/kernel";

/// How files with a licence or a notice are called.
const NAMES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// `/usr/share/doc/xelb/copyright`, in the form of Debian's policy (DEP 5).
pub(super) fn own(workspace: &Workspace) -> Result<String> {
    let mit = read(&workspace.root.join("LICENSE-MIT"))?;
    let holder = mit
        .lines()
        .find_map(|line| line.strip_prefix("Copyright (c) "))
        .context("LICENSE-MIT names no holder")?;
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: xelb\n\
         Comment: The program has Rust crates linked into it. Their names, licences and notices\n \
         are in /usr/share/doc/xelb/third-party-licences.gz.\n\n\
         Files: *\nCopyright: {holder}\nLicense: Expat or Apache-2.0\n\n\
         License: Expat\n{}\n\
         License: Apache-2.0\n See /usr/share/common-licenses/Apache-2.0.\n",
        indented(&mit)
    ))
}

/// A text as a field's value: lines begin with a space, empty ones have a dot.
fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") };
    text.lines().map(line).collect()
}

/// Each crate with its licence, then each licence's text once with the crates that have it.
pub(super) fn of_others(workspace: &Workspace) -> Result<String> {
    let linked = linked_crates(workspace)?;
    // Crates of other systems are not there, and need not be.
    let platform = format!("--filter-platform={}", host()?);
    let metadata =
        output(&mut workspace.cargo(["metadata", "--format-version=1", BPF_FEATURE, &platform]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let mut list = String::from("Crates that are linked into xelb, with their licences.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", text("name"), text("version"));
        if !linked.contains(&name) || package["source"].is_null() {
            continue;
        }
        writeln!(list, "{name}: {}", text("license"))?;
        let folder = Path::new(text("manifest_path")).parent().unwrap_or(Path::new("/"));
        for notice in notices(folder)? {
            texts.entry(notice).or_default().push(name.clone());
        }
    }
    for (text, crates) in &texts {
        write!(list, "\n{}\n{}:\n\n{}\n", "-".repeat(72), crates.join(", "), text.trim_end())?;
    }
    Ok(list)
}

/// The system that the compiler builds for.
fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// `name version` of what the program and the BPF programs in it are linked from, with this machine's
/// features.
pub(crate) fn linked_crates(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let tree = output(&mut workspace.cargo([
        "tree",
        "--package=lb-userspace",
        "--package=lb-ebpf",
        BPF_FEATURE,
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
    ]))?;
    // A line is `name v1.2.3`, and more behind it for some.
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
    });
    Ok(crates.collect())
}

/// The texts of the licence files in a crate's folder, without blanks at the ends of lines.
fn notices(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            found.push(lines.join("\n"));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_becomes_a_field() {
        assert_eq!(indented("a\n\nb\n"), " a\n .\n b\n");
    }

    #[test]
    fn notices_are_the_files_with_such_names() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("LICENSE-MIT", "b  \nc\n"), ("Copying", "a"), ("lib.rs", "x"), ("README", "y")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(notices(folder.path()).unwrap(), ["a", "b\nc"]);
    }
}
