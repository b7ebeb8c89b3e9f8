//! Whole inputs and results, the traps of each format, and inputs that are wrong.

mod account;
mod golden;
mod manual;
mod traps;
mod wrong;

use crate::{Fate, Format, Imported, import};

/// Imports, and checks what holds for every result: xelb accepts it, and no line is lost.
fn imported(format: Format, text: &str) -> Imported {
    let imported = import(format, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_kept(format, text, &imported);
    imported
}

fn assert_kept(format: Format, text: &str, imported: &Imported) {
    assert!(imported.errors().is_none(), "{}\n{}", imported.errors().unwrap(), imported.text());
    lb_config::parse(imported.text(), "result").unwrap();
    let comments: &[char] = if format == Format::Keepalived { &['#', '!'] } else { &['#'] };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let is_empty = line.is_empty() || line.starts_with(comments);
        let fate = imported.fate(number).unwrap();
        assert_eq!(fate == Fate::Empty, is_empty, "line {number}: {line}");
        let is_named = imported.remarks().iter().any(|remark| remark.lines.contains(&number));
        assert_eq!(fate == Fate::Remarked, is_named, "line {number}: {line}");
    }
    let remarks = imported.remarks().iter().flat_map(|remark| remark.message.split_whitespace());
    for word in remarks {
        assert!(imported.text().contains(word), "{word} is missing in\n{}", imported.text());
    }
}

/// All remarks, a line each.
fn remarks(imported: &Imported) -> String {
    let lines: Vec<String> = imported.remarks().iter().map(crate::Remark::line).collect();
    lines.join("\n")
}
