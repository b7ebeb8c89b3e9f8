//! `cargo xtask tidy`: what a program can check of the project's style and that no other program
//! checks: rustfmt formats, and clippy bounds functions and forbids `todo!` by the workspace's lints.
//!
//! Every check is a pure function from text to findings; only this file reads the disk.

mod circles;
mod code;
mod documents;
mod glossary;
mod imports;
mod manifest;
mod source;
mod text;
mod walls;

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::subcommand_names;
use crate::workspace::{Workspace, human, output};

/// Something to put right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the workspace's root.
    path: String,
    /// The line, from 1; 0 means the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, message } = self;
        match line {
            0 => write!(formatter, "{path}: {message}"),
            _ => write!(formatter, "{path}:{line}: {message}"),
        }
    }
}

/// A text file of the project.
struct File {
    /// From the workspace's root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    fn is_manifest(&self) -> bool {
        self.path.ends_with("/Cargo.toml")
    }
}

/// Files of these extensions are text that people edit.
const EXTENSIONS: &[&str] =
    &["rs", "toml", "md", "yaml", "yml", "sh", "service", "py", "html", "css", "js"];
/// Text files without an extension.
const NAMES: &[&str] = &["LICENSE-MIT", "LICENSE-APACHE", "run", ".gitignore"];
/// Folders at the root that hold no sources.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git"];
/// A bound on the depth of the project's folders.
const DEPTH_MAX: usize = 12;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    let files = read(&workspace.root)?;
    let mut findings = check(&files);
    findings.extend(walls(workspace)?);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings in {} files", findings.len(), files.len());
    }
    println!("tidy: {} files are in order ({})", files.len(), human(start.elapsed()));
    Ok(())
}

/// What pure crates are built with.
fn walls(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for pure in walls::PURE_CRATES {
        let arguments = ["tree", "--package", pure, "--edges", "normal", "--prefix", "none"];
        let tree = output(&mut workspace.cargo(arguments))?;
        findings.extend(walls::check(pure, "Cargo.toml", &tree));
    }
    Ok(findings)
}

/// All checks, in a stable order.
fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for File { path, text } in files {
        findings.extend(text::check(path, text));
    }
    for File { path, text } in files.iter().filter(|file| file.is_rust()) {
        findings.extend(source::check(path, text));
    }
    for File { path, text } in files.iter().filter(|file| file.is_manifest()) {
        findings.extend(manifest::check(path, text));
    }
    findings.extend(circles::check(files));
    findings.extend(documents::check(files, &subcommand_names()));
    findings.extend(glossary::check(files));
    findings.sort();
    findings
}

/// Every text file of the project; what git ignores at the root is left out.
fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let cannot_read = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(cannot_read)? {
            let path = entry.with_context(cannot_read)?.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let skipped = SKIPPED_FOLDERS.contains(&relative.as_str()) || path.is_symlink();
            if path.is_dir() && !skipped && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if is_text(&relative) && path.is_file() && !skipped {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {} as UTF-8", path.display()))?;
                files.push(File { path: relative, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    NAMES.contains(&name) || EXTENSIONS.iter().any(|extension| has_extension(name, extension))
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = read(root).unwrap();
        assert!(files.iter().any(|file| file.path == "xtask/src/tidy.rs"));
        let findings: Vec<String> = check(&files).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }

    #[test]
    fn sources_are_found_and_products_are_not() {
        let root = tempfile::tempdir().unwrap();
        for path in
            ["b/src/lib.rs", "target/x.rs", "a.pcap", ".ci/run", "docs/a.md", "b/target/c.rs"]
        {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text\n").unwrap();
        }
        let files = read(root.path()).unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "b/src/lib.rs", "b/target/c.rs", "docs/a.md"]);
    }

    #[test]
    fn findings_read_like_those_of_a_compiler() {
        assert_eq!(Finding::at("a.rs", 3, "wrong").to_string(), "a.rs:3: wrong");
        assert_eq!(Finding::at("a.rs", 0, "wrong").to_string(), "a.rs: wrong");
    }
}
