//! PURE: fields that the configuration sets, adds and removes, checked once and not for each message.

use std::fmt;

use crate::{
    field_name::FieldName,
    head::{is_field_value, is_token},
};

/// A field that cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// The name is not a token.
    BadName(String),
    /// The engine writes or removes fields of this name itself.
    ReservedName(String),
    /// The value of this field has control characters, or white space around it.
    BadValue(String),
}

impl fmt::Display for EditError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(name) => write!(formatter, "`{name}` is no field name"),
            Self::ReservedName(name) => {
                write!(formatter, "field `{name}` is written by the balancer; use another name")
            }
            Self::BadValue(name) => {
                write!(
                    formatter,
                    "the value of `{name}` has control characters or outer white space"
                )
            }
        }
    }
}

impl std::error::Error for EditError {}

/// Edits of one head. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldEdits {
    /// Names whose received fields are not copied.
    removed: Vec<String>,
    /// Complete field lines.
    lines: Vec<u8>,
}

impl FieldEdits {
    /// Removes all fields of this name.
    pub fn remove(&mut self, name: &str) -> Result<(), EditError> {
        check_name(name)?;
        self.removed.push(name.to_owned());
        Ok(())
    }

    /// Adds a field to those that there are.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), EditError> {
        check_name(name)?;
        if !is_field_value(value.as_bytes()) {
            return Err(EditError::BadValue(name.to_owned()));
        }
        self.lines.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        Ok(())
    }

    /// Replaces all fields of this name by one.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), EditError> {
        self.add(name, value)?;
        self.remove(name)
    }

    /// Whether a received field is copied.
    #[must_use]
    pub fn keeps(&self, name: &[u8]) -> bool {
        !self.removed.iter().any(|removed| removed.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The lines to add, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }
}

fn check_name(name: &str) -> Result<(), EditError> {
    if !is_token(name.as_bytes()) {
        return Err(EditError::BadName(name.to_owned()));
    }
    if FieldName::of(name.as_bytes()).is_reserved() {
        return Err(EditError::ReservedName(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_replaces_and_add_does_not() {
        let mut edits = FieldEdits::default();
        edits.set("X-A", "1").expect("a plain field");
        edits.add("X-B", "").expect("an empty value is one");
        edits.remove("X-C").expect("a plain name");
        assert_eq!(edits.lines(), b"X-A: 1\r\nX-B: \r\n");
        assert!(!edits.keeps(b"x-a") && edits.keeps(b"x-b") && !edits.keeps(b"X-c"));
    }

    #[test]
    fn edits_cannot_break_the_framing() {
        let bad_name = |name: &str| Err(EditError::BadName(name.to_owned()));
        let reserved = |name: &str| Err(EditError::ReservedName(name.to_owned()));
        let cases = [
            ("", "a", bad_name("")),
            ("a b", "a", bad_name("a b")),
            ("a:", "a", bad_name("a:")),
            ("Host", "a", reserved("Host")),
            ("content-length", "1", reserved("content-length")),
            ("Transfer_Encoding", "chunked", reserved("Transfer_Encoding")),
            ("X-Forwarded-For", "a", reserved("X-Forwarded-For")),
            ("X-A", "a\r\nHost: b", Err(EditError::BadValue("X-A".to_owned()))),
            ("X-A", " a", Err(EditError::BadValue("X-A".to_owned()))),
            ("X-A", "a\0", Err(EditError::BadValue("X-A".to_owned()))),
            ("X-A", "a", Ok(())),
        ];
        for (name, value, expected) in cases {
            let mut edits = FieldEdits::default();
            assert_eq!(edits.set(name, value), expected, "{name:?}: {value:?}");
            assert_eq!(edits == FieldEdits::default(), expected.is_err(), "{name:?}: {value:?}");
        }
    }
}
