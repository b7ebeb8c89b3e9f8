//! PURE: output as a page shows it, as a regular expression for the output of a run.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

/// A regular expression of Perl (for `grep -P -z`): these lines, in this order, with others before,
/// between and behind them. Runs of spaces are alike however long; `...` is anything within a line.
pub(super) fn pattern(shown: &str) -> Result<String> {
    let mut pattern = String::from("(?m)");
    let mut lines = 0;
    for line in shown.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "...") {
        if lines > 0 {
            pattern.push_str(r"(?:.*\n)*?");
        }
        lines += 1;
        pattern.push_str(r"^[ \t]*");
        for (number, part) in line.split("...").enumerate() {
            if number > 0 {
                pattern.push_str(".*");
            }
            literal(part, &mut pattern);
        }
        pattern.push_str(r"[ \t]*$\n?");
    }
    ensure!(lines > 0, "it shows nothing");
    Ok(pattern)
}

fn literal(text: &str, pattern: &mut String) {
    let mut spaces = false;
    for one in text.chars() {
        if one == ' ' {
            if !spaces {
                pattern.push_str("[ \\t]+");
            }
        } else if one.is_ascii_alphanumeric() || !one.is_ascii() {
            pattern.push(one);
        } else {
            // Writing to a string does not fail.
            let _written = write!(pattern, "\\{one}");
        }
        spaces = one == ' ';
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// As the container does it.
    fn fits(shown: &str, printed: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("printed");
        std::fs::write(&file, printed).unwrap();
        let mut grep = Command::new("grep");
        grep.args(["-P", "-z", "-q", "-e", &pattern(shown).unwrap()]).arg(&file);
        let status = grep.stderr(Stdio::inherit()).status().unwrap();
        assert!(status.code().is_some_and(|code| code < 2), "{status}");
        status.success()
    }

    #[test]
    fn shown_output_is_found() {
        let printed =
            "agent      version 0.1.0, process 17\nlisteners  1\ntargets    2 of 2 healthy\n";
        let cases = [
            ("agent version 0.1.0, process ...\n", true),
            ("targets   2 of 2 healthy\n", true),
            ("agent ...\ntargets 2 of 2 healthy\n", true),
            ("agent ...\n...\ntargets ... healthy\n", true),
            ("targets 2 of 2 healthy\nagent ...\n", false),
            ("   agent ...\n", true),
            ("targets 2 of 2\n", false),
            ("of 2 healthy\n", false),
            ("listeners 2\n", false),
            ("agent      version 0x1.0, process ...\n", false),
        ];
        for (shown, expected) in cases {
            assert_eq!(fits(shown, printed), expected, "{shown}: {:?}", pattern(shown));
        }
        assert!(fits("a + b (c) [d] $e ^f |g", "a + b (c) [d] $e ^f |g\n"));
        assert!(pattern("\n...\n").is_err());
    }
}
