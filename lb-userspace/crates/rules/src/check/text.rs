//! PURE: length and characters of values.

use crate::{error::Problem, problems::Problems};

/// Whether a byte may be in a token: names of headers and methods (RFC 9110, section 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Not longer than the limit.
pub(super) fn length(what: &'static str, value: &str, max: usize, problems: &mut Problems) {
    if value.len() > max {
        problems.push(Problem::TooLong { what, length: value.len(), max });
    }
}

/// Not empty, and not longer than the limit.
pub(super) fn size(what: &'static str, value: &str, max: usize, problems: &mut Problems) {
    if value.is_empty() {
        problems.push(Problem::Empty { what });
    }
    length(what, value, max, problems);
}

/// Nothing but characters that are allowed.
pub(super) fn characters(
    what: &'static str,
    value: &str,
    is_allowed: impl Fn(char) -> bool,
    problems: &mut Problems,
) {
    if let Some(character) = value.chars().find(|character| !is_allowed(*character)) {
        problems.push(Problem::Character { what, value: value.to_owned(), character });
    }
}

/// The name of a header: a token without `*`.
pub(super) fn header_name(name: &str, max: usize, problems: &mut Problems) {
    let what = "header name";
    size(what, name, max, problems);
    if name.contains(['*', '?']) {
        problems.push(Problem::Wildcard { what, value: name.to_owned() });
    } else {
        let is_token = |character: char| u8::try_from(character).is_ok_and(is_token_byte);
        characters(what, name, is_token, problems);
    }
}
