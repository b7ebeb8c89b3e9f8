//! PURE: parts of a manual page in roff. `man` and `mandoc` render them without a warning.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// Characters of a line of the source; mandoc(1) wants fewer than 80.
const LINE_CHARS: usize = 76;

/// The changelog, for the day of this version.
const CHANGELOG: &str = include_str!("../../../../CHANGELOG.md");

/// The day of this version, `2026-11-23`, that the foot of a page shows.
pub(super) fn date() -> &'static str {
    let heading = concat!("## [", env!("CARGO_PKG_VERSION"), "] - ");
    CHANGELOG.lines().find_map(|line| line.strip_prefix(heading)).unwrap_or("unreleased").trim()
}

/// The first line of a page.
pub(super) fn title(roff: &mut Roff, name: &str, section: u8) {
    let section = section.to_string();
    let version = concat!("xelb ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [name, &section, date(), version, "xelb manual"]);
    // Long paths leave no room to stretch blanks.
    roff.control("ad", ["l"]);
}

pub(super) fn section(roff: &mut Roff, heading: &str) {
    roff.control("SH", [heading]);
}

pub(super) fn subsection(roff: &mut Roff, heading: &str) {
    roff.control("SS", [heading]);
}

/// An item of a list, and what is said about it.
pub(super) fn item(roff: &mut Roff, name: Vec<Inline>, text: &str) {
    roff.control("TP", []);
    roff.text(name);
    roff.text([roman(text)]);
}

/// Lines as they are typed or written.
pub(super) fn literal(roff: &mut Roff, lines: &[&str]) {
    roff.control("nf", []);
    roff.control("RS", ["4"]);
    for line in lines {
        roff.text([roman(*line)]);
    }
    roff.control("RE", []);
    roff.control("fi", []);
}

/// References to other pages.
pub(super) fn see_also(roff: &mut Roff, pages: &[(String, u8)]) {
    section(roff, "SEE ALSO");
    let mut line = Vec::new();
    for (index, (name, section)) in pages.iter().enumerate() {
        let end = if index + 1 == pages.len() { "" } else { ", " };
        line.extend([bold(name.as_str()), roman(format!("({section}){end}"))]);
    }
    roff.text(line);
}

/// A path, as a page shows it.
pub(super) fn path(name: &str) -> Inline {
    italic(name)
}

/// The source without what `mandoc -T lint` warns of: a line break beside an empty line, blanks at the
/// end of a line, and long lines. Lines between `nf` and `fi` stay as they are.
pub(super) fn clean(source: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut filled = true;
    for line in source.lines() {
        match line {
            ".nf" => filled = false,
            ".fi" => filled = true,
            _ => {}
        }
        // What stands behind TP is the name of an item: one line.
        if !filled {
            lines.push(line.to_owned());
        } else if lines.last().is_some_and(|last| last == ".TP") {
            lines.push(line.trim_end().to_owned());
        } else if line.trim().is_empty() {
            while lines.last().is_some_and(|last| last == ".br") {
                lines.pop();
            }
            lines.push(".sp".to_owned());
        } else if line == ".br" && lines.last().is_some_and(|last| last == ".sp") {
            // An empty line breaks the line already.
        } else if line.starts_with('.') {
            lines.push(line.trim_end().to_owned());
        } else {
            wrap(line, &mut lines);
        }
    }
    lines.join("\n") + "\n"
}

/// Wraps a line of text between words: where the page is filled, that changes nothing.
fn wrap(line: &str, lines: &mut Vec<String>) {
    let mut current = String::new();
    for word in line.split_whitespace() {
        let fits = current.chars().count() + 1 + word.chars().count() <= LINE_CHARS;
        if !current.is_empty() && !fits {
            lines.push(std::mem::take(&mut current));
        }
        if current.is_empty() {
            // At the start of a line, these would make it a request.
            if word.starts_with(['.', '\'']) {
                current.push_str("\\&");
            }
        } else {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cleaned_source_says_the_same_in_short_lines() {
        let long = "word ".repeat(30);
        let source =
            format!(".SH A \na \n.br\n\n.br\nb\n{long}.end\n.nf\n{long}\n.fi\n.TP\n{long}\n");
        let first = "word ".repeat(15);
        let expected = format!(
            ".SH A\na\n.sp\nb\n{}\n{}\n\\&.end\n.nf\n{long}\n.fi\n.TP\n{}\n",
            first.trim(),
            first.trim(),
            long.trim()
        );
        assert_eq!(clean(&source), expected);
    }
}
