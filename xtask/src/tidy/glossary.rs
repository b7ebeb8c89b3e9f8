//! PURE: the glossary against the rest: every term is used somewhere, and every internal term that a command
//! prints is explained.

use super::{File, Finding, has_extension};

const GLOSSARY: &str = "docs/glossary.md";

/// Files whose texts `xelb status`, `stats` and `explain` print.
const OUTPUT: &[&str] = &[
    "lb-userspace/src/cli/explain.rs",
    "lb-userspace/src/cli/stats.rs",
    "lb-userspace/src/cli/status.rs",
    "lb-userspace/crates/plan/src/warning.rs",
];

/// Words of ours, which nobody knows from elsewhere: where one is printed, the glossary has it.
const INTERNAL: &[&str] = &[
    "armed",
    "binding",
    "budget",
    "cell",
    "epoch",
    "flow memory",
    "head",
    "home",
    "layout",
    "next hop",
    "owner",
    "pin",
    "pool",
    "remembered",
    "revision",
    "ring",
    "slot",
    "verdict",
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let Some(glossary) = files.iter().find(|file| file.path == GLOSSARY) else {
        return vec![Finding::at(GLOSSARY, 0, "it is missing")];
    };
    let terms: Vec<(usize, String)> = (1..)
        .zip(glossary.text.lines())
        .filter_map(|(number, line)| Some((number, line.strip_prefix("## ")?.to_lowercase())))
        .collect();
    let mut findings = unused(&terms, files);
    for file in files.iter().filter(|file| OUTPUT.contains(&file.path.as_str())) {
        findings.extend(unexplained(file, &terms));
    }
    findings
}

/// Terms that no page and no output has.
fn unused(terms: &[(usize, String)], files: &[File]) -> Vec<Finding> {
    let is_read = |file: &&File| {
        (has_extension(&file.path, "md") && file.path != GLOSSARY && file.path != "CHANGELOG.md")
            || file.path.starts_with("lb-userspace/src/cli/")
    };
    let texts: Vec<String> =
        files.iter().filter(is_read).map(|file| file.text.to_lowercase()).collect();
    let missing = terms.iter().filter(|(_, term)| !texts.iter().any(|text| has_word(text, term)));
    let finding = |(number, term): &(usize, String)| {
        Finding::at(GLOSSARY, *number, format!("nothing uses the term {term:?}: take it out"))
    };
    missing.map(finding).collect()
}

/// Internal words that a file prints and the glossary does not explain.
fn unexplained(file: &File, terms: &[(usize, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let line = line.trim_start();
        if line.starts_with("//") {
            continue;
        }
        for word in INTERNAL {
            let printed = literals(line).any(|literal| has_word(literal, word));
            if printed && !terms.iter().any(|(_, term)| has_word(term, word)) {
                let message = format!("{word:?} is printed, and {GLOSSARY} does not explain it");
                findings.push(Finding::at(&file.path, number, message));
            }
        }
    }
    findings
}

/// What stands between quotation marks on a line.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// Whether a text has a word, alone or in the plural.
fn has_word(text: &str, word: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let after = after.strip_prefix('s').unwrap_or(after);
        let is_letter = |c: char| c.is_ascii_alphanumeric();
        if !before.ends_with(is_letter) && !after.starts_with(is_letter) {
            return true;
        }
        rest = &rest[at + word.len()..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn terms_and_their_use_are_compared() {
        let files = [
            file(GLOSSARY, "# Glossary\n\n## Slot\n\nA part.\n\n## Tardis\n\nNobody says so.\n"),
            file("docs/ring.md", "A ring has slots.\n"),
            file(
                "lb-userspace/src/cli/status.rs",
                "// the ring\nline(\"ring slots\", &text);\nlet ring = string;\nline(\"spring\");\n",
            ),
        ];
        let findings: Vec<String> = check(&files).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "docs/glossary.md:7: nothing uses the term \"tardis\": take it out",
                "lb-userspace/src/cli/status.rs:2: \"ring\" is printed, and docs/glossary.md does not \
                 explain it",
            ]
        );
    }
}
