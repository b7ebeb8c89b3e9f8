//! Wrong configurations, each with everything that is said about it: `wrong.txt`.
//!
//! A case there is a headline, lines of `base.yaml` to replace (`-`), what to put in their place
//! (`+`), and the messages. `XELB_BLESS=1` writes the messages anew, to be read before they are
//! committed.

use std::{fmt::Write as _, fs, path::PathBuf};

use super::{BASE, read};

struct Case {
    headline: String,
    edits: Vec<(String, String)>,
    expected: String,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(headline) = line.strip_prefix("# ") {
            let headline = headline.to_owned();
            cases.push(Case { headline, edits: Vec::new(), expected: String::new() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(old) = line.strip_prefix("- ") {
            case.edits.push((old.to_owned(), String::new()));
        } else if let Some(new) = line.strip_prefix("+ ") {
            let (_, text) = case.edits.last_mut().expect("`-` comes before `+`");
            writeln!(text, "{new}").unwrap();
        } else if !line.is_empty() {
            writeln!(case.expected, "{line}").unwrap();
        }
    }
    cases
}

fn edited(case: &Case) -> String {
    let mut text = BASE.to_owned();
    for (old, new) in &case.edits {
        let old = format!("{old}\n");
        assert!(text.contains(&old), "{}: base.yaml has no line `{old}`", case.headline);
        text = text.replacen(&old, new, 1);
    }
    text
}

fn said(case: &Case) -> String {
    match read(&edited(case)) {
        Ok(_) => "nothing: it is accepted\n".to_owned(),
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn every_error_is_said_exactly() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/wrong.txt");
    let text = fs::read_to_string(&path).unwrap();
    let cases = cases(&text);
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    if std::env::var_os("XELB_BLESS").is_some() {
        let mut blessed = String::new();
        for case in &cases {
            writeln!(blessed, "# {}", case.headline).unwrap();
            for (old, new) in &case.edits {
                writeln!(blessed, "- {old}").unwrap();
                new.lines().for_each(|line| writeln!(blessed, "+ {line}").unwrap());
            }
            writeln!(blessed, "{}", said(case)).unwrap();
        }
        fs::write(&path, blessed.trim_end().to_owned() + "\n").unwrap();
        return;
    }
    for case in &cases {
        assert_eq!(said(case), case.expected, "{}:\n{}", case.headline, edited(case));
    }
}
