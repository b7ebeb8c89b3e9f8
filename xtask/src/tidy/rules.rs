//! The rules. PURE.

use std::{fmt, path::Path};

/// Longest source file, in lines: one idea fits.
const LINES_MAX: usize = 400;

/// Where `unsafe` may stand, and why: nowhere else.
const UNSAFE_ALLOWED: &[(&str, &str)] = &[
    ("lb-common/src/shared.rs", "implements aya::Pod"),
    ("lb-ebpf/src/kernel/", "the kernel's pointers"),
    ("lb-ebpf/src/main.rs", "the licence section"),
    ("lb-ebpf/src/decap_main.rs", "the kernel's pointers, the licence section"),
    ("lb-ebpf/src/generate_main.rs", "the kernel's pointers, the licence section"),
    ("lb-userspace/src/dataplane/", "maps in memory, membarrier"),
    ("lb-userspace/build.rs", "environment of the build script"),
    ("tests/", "the lab and the harnesses: namespaces, signals, maps in memory"),
];

/// Where printing is the purpose.
const PRINTING_ALLOWED: &[&str] = &[
    "lb-userspace/src/cli/",
    "lb-userspace/src/main.rs",
    "lb-userspace/build.rs",
    "xtask/",
    "tests/",
];

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, message: &str) -> Self {
        Self { path: path.to_owned(), line, message: message.to_owned() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Everything that is wrong with one file.
pub(crate) fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = whitespace(path, text);
    if is_rust(path) {
        findings.extend(shape(path, text));
        findings.extend(code(path, text));
    }
    if path.ends_with("Cargo.toml") && path != "Cargo.toml" {
        findings.extend(versions(path, text));
    }
    findings
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn whitespace(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) {
            findings.push(Finding::new(path, number, "ends with a blank"));
        }
        if is_rust(path) && line.contains('\t') {
            findings.push(Finding::new(path, number, "has a tab"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(Finding::new(path, text.lines().count(), "has no newline at its end"));
    }
    findings
}

fn shape(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::new(path, 1, "does not begin with `//!`: say what it is"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let message = format!("has {lines} lines; more than {LINES_MAX} hold more than one idea");
        findings.push(Finding::new(path, LINES_MAX, &message));
    }
    findings
}

fn code(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let unfinished = ["todo!(", "unimplemented!(", "dbg!("];
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split("//").next().unwrap_or_default();
        // This file names what it forbids.
        if path == "xtask/src/tidy/rules.rs" {
            break;
        }
        if unfinished.iter().any(|mark| line.contains(mark)) {
            findings.push(Finding::new(path, number, "is unfinished"));
        }
        if line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
            && !UNSAFE_ALLOWED.iter().any(|(allowed, _)| path.starts_with(allowed))
        {
            findings.push(Finding::new(path, number, "has unsafe code outside of its places"));
        }
        if ["println!(", "print!("].iter().any(|print| line.trim_start().starts_with(print))
            && !PRINTING_ALLOWED.iter().any(|allowed| path.starts_with(allowed))
        {
            findings.push(Finding::new(path, number, "prints; only the command line does"));
        }
    }
    findings
}

/// Versions of dependencies stand in the workspace's manifest only.
fn versions(path: &str, text: &str) -> Vec<Finding> {
    let mut dependencies = false;
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('[') {
            dependencies = line.ends_with("dependencies]");
        } else if dependencies && line.contains('=') && !line.contains("workspace = true") {
            findings.push(Finding::new(path, number, "names a version outside the workspace's"));
        }
    }
    findings
}

/// Documents that the README does not lead to.
pub(crate) fn unlinked(readme: &str, documents: &[String]) -> Vec<Finding> {
    documents
        .iter()
        .filter(|name| !readme.contains(&format!("docs/{name}")))
        .map(|name| Finding::new(&format!("docs/{name}"), 0, "is not linked from README.md"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check_file(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_has_no_findings() {
        assert_eq!(messages("a/src/b.rs", "//! What it is.\n\nfn main() {}\n"), [""; 0]);
    }

    #[test]
    fn each_rule_finds_its_fault() {
        for (path, text, expected) in [
            ("a.rs", "fn main() {}\n", "a.rs:1: does not begin with `//!`: say what it is"),
            ("a.rs", "//! A.\nfn main() {} \n", "a.rs:2: ends with a blank"),
            ("a.md", "text", "a.md:1: has no newline at its end"),
            ("a.rs", "//! A.\n\tx();\n", "a.rs:2: has a tab"),
            ("a.rs", "//! A.\ntodo!()\n", "a.rs:2: is unfinished"),
            ("a.rs", "//! A.\nunsafe { x() }\n", "a.rs:2: has unsafe code outside of its places"),
            ("a.rs", "//! A.\nprintln!(\"\");\n", "a.rs:2: prints; only the command line does"),
            (
                "a/Cargo.toml",
                "[dependencies]\nserde = \"1\"\n",
                "a/Cargo.toml:2: names a version outside the workspace's",
            ),
        ] {
            assert_eq!(messages(path, text), [expected], "{path}: {text}");
        }
        let long = format!("//! A.\n{}", "x();\n".repeat(LINES_MAX));
        assert_eq!(
            messages("a.rs", &long),
            ["a.rs:400: has 401 lines; more than 400 hold more than one idea"]
        );
    }

    #[test]
    fn unsafe_and_printing_have_their_places() {
        let text = "//! A.\nunsafe { x() }\nprintln!(\"\");\n";
        assert_eq!(messages("tests/harness/a.rs", text), [""; 0]);
    }

    #[test]
    fn documents_are_linked() {
        let documents = ["a.md".to_owned(), "b.md".to_owned()];
        let findings = unlinked("see [a](docs/a.md)", &documents);
        assert_eq!(findings, [Finding::new("docs/b.md", 0, "is not linked from README.md")]);
    }
}
