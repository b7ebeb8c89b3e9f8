//! PURE: texts of an agent as they may go to a terminal. An agent, a target or another operator may
//! have written them, and a terminal obeys control characters.

use std::{borrow::Cow, fmt::Write as _};

/// Whether a terminal may take this character for something else than a letter: control characters,
/// and those that change the direction of what follows (Unicode Standard Annex 9).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A text of several lines: the ends of its lines stay, other such characters are written as in JSON.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_hidden(character) && character != '\n')
}

/// A text that has to stay on its line.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

fn escaped(text: &str, hides: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if hides(character) {
            // All of them have four digits. Writing to a string does not fail.
            let _written = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        for (text, of_lines, of_line) in [
            ("web\n10.0.1.11 é ⟶\n", "web\n10.0.1.11 é ⟶\n", "web\\u000a10.0.1.11 é ⟶\\u000a"),
            (
                "\u{1b}]0;title\u{7}\r",
                "\\u001b]0;title\\u0007\\u000d",
                "\\u001b]0;title\\u0007\\u000d",
            ),
            ("\u{9b}2J\u{7f}\u{202e}", "\\u009b2J\\u007f\\u202e", "\\u009b2J\\u007f\\u202e"),
        ] {
            assert_eq!(lines(text), of_lines);
            assert_eq!(line(text), of_line);
        }
    }

    /// What programs read means the same.
    #[test]
    fn escaped_json_keeps_its_value() {
        let value = serde_json::json!({ "detail": "a\u{9b}\u{1b}b\u{7f}\u{202e}" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = lines(&text);
        assert!(shown.is_ascii());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
