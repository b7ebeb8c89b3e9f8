//! Checks of the members' Cargo.toml: versions of dependencies and lints are the workspace's.
//!
//! It reads lines, not TOML: the manifests are written by hand, one dependency a line.

use super::Finding;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    // A workspace of its own has nothing to inherit from: tests/fuzz, which needs another build.
    if text.lines().any(|line| line.trim() == "[workspace]") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut section = "";
    let mut inherits_lints = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            if dependency_section(section) == Some(Section::OneDependency) {
                findings.push(Finding::at(path, number, "write one dependency a line"));
            }
            continue;
        }
        let is_entry = !line.is_empty() && !line.starts_with('#');
        let inherits = line.contains("workspace = true");
        if section == "lints" && inherits {
            inherits_lints = true;
        }
        if is_entry && dependency_section(section) == Some(Section::Dependencies) && !inherits {
            let message = "name the version in the workspace's Cargo.toml and write \
                           `{ workspace = true }`";
            findings.push(Finding::at(path, number, message));
        }
    }
    if !inherits_lints {
        findings.push(Finding::at(path, 0, "`[lints]` must have `workspace = true`"));
    }
    findings
}

#[derive(Debug, PartialEq, Eq)]
enum Section {
    /// `[dependencies]`, `[target.x.dev-dependencies]`, ...
    Dependencies,
    /// `[dependencies.name]`.
    OneDependency,
}

fn dependency_section(section: &str) -> Option<Section> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut parts = section.rsplit('.');
    let last = parts.next().unwrap_or_default();
    if kinds.contains(&last) {
        return Some(Section::Dependencies);
    }
    parts.next().filter(|part| kinds.contains(part)).map(|_| Section::OneDependency)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "\n[lints]\nworkspace = true\n";

    #[test]
    fn versions_belong_to_the_workspace() {
        let cases: [(&str, &[usize]); 9] = [
            ("[dependencies]\n# why\naya = { workspace = true, optional = true }\n", &[]),
            ("[dependencies]\naya.workspace = true\n", &[]),
            ("[workspace]\n[dependencies]\naya = \"0.14\"\n", &[]),
            ("[dependencies]\naya = \"1\"\n", &[2]),
            ("[build-dependencies]\naya = { git = \"x\" }\n", &[2]),
            ("[target.'cfg(unix)'.dev-dependencies]\naya = \"1\"\n", &[2]),
            ("[dependencies.aya]\nversion = \"1\"\n", &[1]),
            ("[package]\nname = \"x\"\n", &[]),
            ("[features]\nuser = [\"dep:aya\"]\n", &[]),
        ];
        for (text, expected) in cases {
            let findings = check("a/Cargo.toml", &format!("{text}{LINTS}"));
            let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
            assert_eq!(lines, expected, "{text}");
        }
    }

    #[test]
    fn lints_are_inherited() {
        let findings = check("a/Cargo.toml", "[package]\n");
        assert_eq!(
            findings,
            [Finding::at("a/Cargo.toml", 0, "`[lints]` must have `workspace = true`")]
        );
    }
}
