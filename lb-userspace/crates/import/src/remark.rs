//! What is said about lines of the input.

use std::fmt::Write as _;

/// Longest text of the input that a remark repeats.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// What a remark means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Somebody has to decide or complete something before the result is used.
    Hand,
    /// Something works in another way than before.
    Changed,
    /// Something has no counterpart.
    Dropped,
}

impl Kind {
    /// How a comment begins.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hand => "needs a hand",
            Self::Changed => "differs",
            Self::Dropped => "no counterpart",
        }
    }
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is blank or a comment.
    Empty,
    /// Something in the result comes from it.
    Mapped,
    /// A remark names it; something in the result may come from it as well.
    Remarked,
}

/// One thing to know, and the lines that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What it means.
    pub kind: Kind,
    /// Lines of the input, from 1, in order; none when it is about the input as a whole.
    pub lines: Vec<usize>,
    /// A sentence.
    pub message: String,
}

impl Remark {
    /// Its lines, such as `line 4` or `lines 4-9, 12`; empty without lines.
    #[must_use]
    pub fn place(&self) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for line in &self.lines {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *line => *last = *line,
                _ => ranges.push((*line, *line)),
            }
        }
        let mut text = match self.lines.as_slice() {
            [] => return String::new(),
            [_] => "line ".to_owned(),
            _ => "lines ".to_owned(),
        };
        for (index, (first, last)) in ranges.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            // Writing to a string does not fail.
            let _written = if first == last {
                write!(text, "{separator}{first}")
            } else {
                write!(text, "{separator}{first}-{last}")
            };
        }
        text
    }

    /// The whole, on one line.
    #[must_use]
    pub fn line(&self) -> String {
        let (place, label, message) = (self.place(), self.kind.label(), &self.message);
        if place.is_empty() {
            format!("{label}: {message}")
        } else {
            format!("{place}: {label}: {message}")
        }
    }
}

/// A text of the input, prepared for a comment: on one line, and not too long.
pub(crate) fn brief(text: &str) -> String {
    let mut characters = text.chars();
    let mut brief = String::new();
    for character in characters.by_ref().take(SHOWN_CHARACTERS_MAX) {
        if is_hidden(character) {
            brief.extend(character.escape_default());
        } else {
            brief.push(character);
        }
    }
    if characters.next().is_some() {
        brief.push_str("...");
    }
    brief
}

/// What would end a comment, or what a terminal obeys.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'
                ..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}
