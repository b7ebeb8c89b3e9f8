//! Checks of every text file: white space, and nothing of the file's language.

use super::{Finding, has_extension};

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.contains('\t') && !may_have_tabs(path) {
            findings.push(Finding::at(path, number, "a tab; indent with spaces"));
        }
        if line.ends_with('\r') {
            findings.push(Finding::at(path, number, "a carriage return; lines end with a newline"));
        } else if line.ends_with([' ', '\t']) {
            findings.push(Finding::at(path, number, "white space at the end of the line"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding::at(path, 0, "it must end with exactly one newline"));
    }
    findings
}

/// A here-document of a shell script may need them.
fn may_have_tabs(path: &str) -> bool {
    has_extension(path, "sh")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_checked() {
        let cases: [(&str, &str, &[usize]); 8] = [
            ("a.rs", "fn a() {}\n", &[]),
            ("a.rs", "", &[]),
            ("a.rs", "a\n\tb\n", &[2]),
            ("a.sh", "a\n\tb\n", &[]),
            ("a.md", "a \nb\n", &[1]),
            ("a.md", "a\r\nb\n", &[1]),
            ("a.md", "a", &[0]),
            ("a.md", "a\n\n", &[0]),
        ];
        for (path, text, expected) in cases {
            let lines: Vec<usize> = check(path, text).iter().map(|finding| finding.line).collect();
            assert_eq!(lines, expected, "{path}: {text:?}");
        }
    }
}
