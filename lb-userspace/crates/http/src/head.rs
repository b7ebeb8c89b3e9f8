//! PURE: a parsed head: its bytes as they came, and where each part lies.
//!
//! A head is used again for the next message of a connection, so a request allocates nothing.

use std::ops::Range;

use crate::field_name::FieldName;

/// Part of a head, as offsets into its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// HTTP/1.0 or HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// One field line of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) known: FieldName,
    pub(crate) name: Span,
    /// Without white space around it.
    pub(crate) value: Span,
}

/// One field of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'head> {
    /// What the name means to the engine.
    pub known: FieldName,
    /// The name as it came; a token.
    pub name: &'head [u8],
    /// The value without white space around it; it has no CR, LF, NUL or other control characters but HTAB.
    pub value: &'head [u8],
    /// The whole line with its CRLF.
    pub line: &'head [u8],
}

/// The head of a request or of a response, or a trailer section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fields: Vec<FieldSpan>,
    pub(crate) version: Version,
    /// Empty in a response.
    pub(crate) method: Span,
    /// Empty in a response.
    pub(crate) target: Span,
    /// 0 in a request.
    pub(crate) status: u16,
    /// Empty in a request.
    pub(crate) reason: Span,
}

impl Head {
    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        &self.bytes[self.method.range()]
    }

    /// The target of a request, as it came.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.bytes[self.target.range()]
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase of a response; may be empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.bytes[self.reason.range()]
    }

    /// The version in the first line.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The fields, in their order.
    #[must_use]
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = Field<'_>> + ExactSizeIterator {
        self.fields.iter().map(|field| Field {
            known: field.known,
            name: &self.bytes[field.name.range()],
            value: &self.bytes[field.value.range()],
            line: &self.bytes[self.line(field)],
        })
    }

    /// The values of all fields of a name that the engine knows.
    pub fn values(&self, known: FieldName) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.iter().filter(move |field| field.known == known);
        fields.map(|field| &self.bytes[field.value.range()])
    }

    /// The values of all fields of any name; case does not count.
    pub fn named<'head>(&'head self, name: &'head str) -> impl Iterator<Item = &'head [u8]> {
        let fields = self.fields().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
        fields.map(|field| field.value)
    }

    /// Makes it empty and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        (self.method, self.target, self.reason) = Default::default();
        self.status = 0;
        self.version = Version::Http11;
    }

    /// Where the line of a field lies, from its name to the LF.
    fn line(&self, field: &FieldSpan) -> Range<usize> {
        let start = field.name.start as usize;
        let value_end = field.value.end as usize;
        // Only white space and CR lie between a value and its LF, see `parse`.
        let end = self.bytes[value_end..].iter().position(|byte| *byte == b'\n');
        start..end.map_or(self.bytes.len(), |end| value_end + end + 1)
    }
}

/// The elements of a list such as `a, b`, without white space around them; empty ones are left out
/// (RFC 9110, section 5.6.1.2).
pub fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Without spaces and tabs around it.
#[must_use]
pub fn trim(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// Whether a byte may be part of a token (RFC 9110, section 5.6.2).
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether bytes are a token.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Whether a field may have this value: no control characters but HTAB, and no white space around it.
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    trim(value).len() == value.len()
        && value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_without_empty_elements() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &[]),
            ("a", &["a"]),
            ("a, b", &["a", "b"]),
            (" a\t,,b ,", &["a", "b"]),
            (", ,", &[]),
            ("a b, c", &["a b", "c"]),
        ];
        for (value, expected) in cases {
            let elements: Vec<&[u8]> = list_elements(value.as_bytes()).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|element| element.as_bytes()).collect();
            assert_eq!(elements, expected, "{value:?}");
        }
    }

    #[test]
    fn values_that_would_end_a_line_are_none() {
        let cases = [
            ("", true),
            ("a", true),
            ("a b\tc", true),
            ("é", true),
            (" a", false),
            ("a\t", false),
            ("a\r\nb: c", false),
            ("a\nb", false),
            ("a\0", false),
            ("a\x7f", false),
        ];
        for (value, expected) in cases {
            assert_eq!(is_field_value(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn tokens_have_no_separators() {
        assert!(is_token(b"M-SEARCH") && is_token(b"x!"));
        assert!(
            !is_token(b"") && !is_token(b"a b") && !is_token(b"a:b") && !is_token("é".as_bytes())
        );
    }
}
