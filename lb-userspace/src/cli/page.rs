//! PURE: a page about one thing: lines of a name and a value, and sections below.

use std::fmt::Write as _;

use super::terminal;

/// Width of the names.
const NAMES: usize = 14;

/// A page.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A line; no value hides another line.
    pub(super) fn line(&mut self, name: &str, value: &str) {
        // Writing to a string does not fail.
        let _written = writeln!(self.0, "{name:<NAMES$}  {}", terminal::line(value));
    }

    /// A text of several lines under a headline.
    pub(super) fn section(&mut self, name: &str, text: &str) {
        let _written = writeln!(self.0, "{name}");
        for line in text.lines() {
            let _written = writeln!(self.0, "  {line}");
        }
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}
