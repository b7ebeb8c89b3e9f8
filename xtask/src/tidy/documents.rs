//! Checks of the documents, against each other and against the program: licences are there, every
//! page of docs/ is linked, the README names commands that exist, the CHANGELOG knows the version.

use super::{File, Finding, has_extension};

/// Files without which the project is not complete.
const REQUIRED: &[&str] = &[
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.toml",
];

pub(super) fn check(files: &[File], xtask_commands: &[String]) -> Vec<Finding> {
    let text_of = |path: &str| files.iter().find(|file| file.path == path).map(|file| &*file.text);
    let mut findings: Vec<Finding> = REQUIRED
        .iter()
        .filter(|path| text_of(path).is_none_or(str::is_empty))
        .map(|path| Finding::at(path, 0, "it is missing or empty"))
        .collect();
    let readme = text_of("README.md").unwrap_or_default();
    findings.extend(unlinked(readme, files));
    findings.extend(unknown_commands(readme, xtask_commands));
    let manifest = text_of("Cargo.toml").unwrap_or_default();
    findings.extend(unlogged_version(manifest, text_of("CHANGELOG.md").unwrap_or_default()));
    for file in files.iter().filter(|file| has_extension(&file.path, "md")) {
        findings.extend(dead_links(file, files));
    }
    findings
}

/// Pages of docs/ that readers cannot find, since the README does not link them.
fn unlinked(readme: &str, files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| file.path.starts_with("docs/") && has_extension(&file.path, "md"))
        .filter(|file| !link_targets(readme).any(|(_, target)| target == file.path))
        .map(|file| Finding::at(&file.path, 0, "README.md does not link it"))
        .collect()
}

/// Commands that the README names and `cargo xtask` does not have.
fn unknown_commands(readme: &str, xtask_commands: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(readme.lines()) {
        for after in split_after(line, "cargo xtask ") {
            let end = after.find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
            let name = &after[..end.unwrap_or(after.len())];
            if !name.is_empty() && !xtask_commands.iter().any(|command| command == name) {
                findings.push(Finding::at("README.md", number, format!("no `cargo xtask {name}`")));
            }
        }
    }
    findings
}

/// The version of the workspace must have its place in the CHANGELOG.
fn unlogged_version(manifest: &str, changelog: &str) -> Option<Finding> {
    let version = manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.package]")
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    let Some(version) = version else {
        return Some(Finding::at("Cargo.toml", 0, "[workspace.package] names no version"));
    };
    let heading = format!("## [{version}]");
    let logged = changelog.lines().any(|line| line.starts_with(&heading));
    (!logged).then(|| Finding::at("CHANGELOG.md", 0, format!("no heading `{heading}`")))
}

/// Links of a document to files that do not exist.
fn dead_links(document: &File, files: &[File]) -> Vec<Finding> {
    let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    link_targets(&document.text)
        .filter(|(_, target)| !target.contains(':') && !target.starts_with('#'))
        .filter_map(|(number, target)| {
            let file = target.split('#').next().unwrap_or(target);
            let path = resolve(folder, file);
            let is_known = files.iter().any(|candidate| {
                candidate.path == path || candidate.path.starts_with(&format!("{path}/"))
            });
            (super::is_text(file) && !is_known)
                .then(|| Finding::at(&document.path, number, format!("dead link: {target}")))
        })
        .collect()
}

/// The targets of Markdown's inline links, each with its line.
fn link_targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).flat_map(|(number, line)| {
        split_after(line, "](").filter_map(move |after| Some((number, after.split_once(')')?.0)))
    })
}

/// What follows each occurrence of `pattern`.
fn split_after<'a>(line: &'a str, pattern: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(pattern).map(move |(at, _)| &line[at + pattern.len()..])
}

/// A relative path seen from a folder, without `.` and `..`.
fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn project(readme: &str, changelog: &str, more: &[File]) -> Vec<String> {
        let mut files = vec![
            file("LICENSE-MIT", "MIT\n"),
            file("LICENSE-APACHE", "Apache\n"),
            file("README.md", readme),
            file("ARCHITECTURE.md", "# xelb\n"),
            file("CHANGELOG.md", changelog),
            file("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n"),
        ];
        files.extend(more.iter().map(|other| file(&other.path, &other.text)));
        let commands = ["demo", "build-ebpf"].map(str::to_owned);
        check(&files, &commands).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn documents_agree_with_each_other_and_with_the_program() {
        let logged = "## [0.1.0] - 2026-11-23\n";
        let page = || [file("docs/a.md", "[up](../README.md#x) [web](https://x.md)\n")];
        let none: [&str; 0] = [];
        assert_eq!(project("# x\n", logged, &[]), none);
        assert_eq!(project("[a](docs/a.md)\n", logged, &page()), none);
        assert_eq!(project("# x\n", logged, &page()), ["docs/a.md: README.md does not link it"]);
        assert_eq!(project("[a](docs/a.md)\n", logged, &[]), ["README.md:1: dead link: docs/a.md"]);
        assert_eq!(project("`cargo xtask demo`, `cargo xtask build-ebpf`\n", logged, &[]), none);
        assert_eq!(
            project("\ncargo xtask dome\n", logged, &[]),
            ["README.md:2: no `cargo xtask dome`"]
        );
        assert_eq!(
            project("# x\n", "## [0.0.9]\n", &[]),
            ["CHANGELOG.md: no heading `## [0.1.0]`"]
        );
    }

    #[test]
    fn missing_pages_are_named() {
        let findings: Vec<String> = check(&[], &[]).iter().map(ToString::to_string).collect();
        assert!(findings.contains(&"LICENSE-MIT: it is missing or empty".to_owned()));
        assert!(findings.contains(&"Cargo.toml: [workspace.package] names no version".to_owned()));
    }
}
