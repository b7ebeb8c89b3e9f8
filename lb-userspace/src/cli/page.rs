//! PURE: a page about one thing: lines of a name and a value, and sections below. Values are wrapped to
//! the terminal.

use std::fmt::Write as _;

use anstyle::Style;

use super::{
    table::{LAST_MIN, Look, Table, painted, wrapped},
    terminal,
};

/// Width of the names, and what is between them and the values.
const NAMES: usize = 14;
const GAP: usize = 2;

/// How far sections are indented.
const INDENT: usize = 2;

/// A page. What a terminal would obey is escaped in it.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    look: Look,
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        Self { text: String::new(), look }
    }

    /// A line; no value hides another line.
    pub(super) fn line(&mut self, name: &str, value: &str) {
        self.painted_line(name, None, value, None);
    }

    /// The same with a value in a colour.
    pub(super) fn state(&mut self, name: &str, value: &str, style: Option<Style>) {
        self.painted_line(name, None, value, style);
    }

    /// The same with a name in a colour: what must not be overlooked.
    pub(super) fn alarm(&mut self, name: &str, value: &str, style: Style) {
        self.painted_line(name, Some(style), value, None);
    }

    fn painted_line(
        &mut self,
        name: &str,
        name_style: Option<Style>,
        value: &str,
        style: Option<Style>,
    ) {
        let value = terminal::line(value);
        let before = NAMES + GAP;
        let lines = match self.look.width {
            Some(width) if width >= before + LAST_MIN => wrapped(&value, width - before),
            _ => vec![value.into_owned()],
        };
        let padding = " ".repeat(before.saturating_sub(name.chars().count()).max(GAP));
        self.text += &painted(name, name_style, self.look);
        for (number, line) in lines.iter().enumerate() {
            let line = painted(line, style, self.look);
            // Writing to a string does not fail.
            let _written = match number {
                0 => writeln!(self.text, "{padding}{line}"),
                _ => writeln!(self.text, "{:before$}{line}", ""),
            };
        }
    }

    /// A text of several lines under a headline.
    pub(super) fn section(&mut self, name: &str, text: &str) {
        self.indented(name, &terminal::lines(text));
    }

    /// A table under a headline; `nothing` when it has no rows.
    pub(super) fn table(&mut self, name: &str, table: &Table, nothing: &str) {
        let width = self.look.width.map(|width| width.saturating_sub(INDENT));
        let text = table.shown(Look { width, ..self.look }, nothing);
        self.indented(name, &text);
    }

    fn indented(&mut self, name: &str, text: &str) {
        let _written = writeln!(self.text, "{name}");
        for line in text.lines() {
            let _written = writeln!(self.text, "{:INDENT$}{line}", "");
        }
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_wrapped_and_painted() {
        let look = Look { width: Some(40), color: true, headers: true };
        let red = anstyle::AnsiColor::Red.on_default();
        let mut page = Page::new(look);
        page.line("detail", "connection refused by the server, again");
        page.alarm("WARNING", "a\u{1b}b", red);
        page.state("state", "unhealthy", Some(red));
        assert_eq!(
            page.text(),
            "detail          connection refused by\n                the server, again\n\
             \u{1b}[31mWARNING\u{1b}[0m         a\\u001bb\n\
             state           \u{1b}[31munhealthy\u{1b}[0m\n"
        );
    }
}
