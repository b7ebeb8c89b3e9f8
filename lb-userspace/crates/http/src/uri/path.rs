//! PURE: the normal form of a path (RFC 3986, section 6.2.2): unreserved characters decoded, escapes in upper
//! case, dot segments resolved.

use super::policy::{
    BackslashPolicy, DoubleSlashPolicy, EncodedSlashPolicy, SemicolonPolicy, UriPolicy,
};
use crate::refusal::Refusal;

/// Appends the normal form of a path, and says whether all its characters may stand in a path.
pub(super) fn normalise(path: &[u8], policy: UriPolicy, out: &mut String) -> Result<bool, Refusal> {
    let start = out.len();
    let mut is_compliant = true;
    if path.iter().all(|byte| is_plain(*byte)) {
        out.extend(path.iter().map(|byte| char::from(*byte)));
    } else {
        is_compliant = decode(path, policy, out)?;
    }
    if out[start..].contains("//") {
        match policy.double_slash {
            DoubleSlashPolicy::Keep => {}
            DoubleSlashPolicy::Merge => merge_slashes(start, out),
            DoubleSlashPolicy::Refuse => return Err(Refusal::DoubleSlash),
        }
    }
    if out[start..].contains("/.") {
        resolve_dot_segments(start, out);
    }
    if has_hidden_dot_segment(&out[start..]) {
        return Err(Refusal::HiddenDotSegment);
    }
    Ok(is_compliant)
}

/// Whether a character is its own normal form under every policy.
fn is_plain(byte: u8) -> bool {
    is_unreserved(byte) || b"/!$&'()*+,=:@".contains(&byte)
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Brings each character and each escape into its normal form.
fn decode(path: &[u8], policy: UriPolicy, out: &mut String) -> Result<bool, Refusal> {
    let mut is_compliant = true;
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let byte = escaped(after).ok_or(Refusal::BadEscape)?;
                rest = &after[2..];
                push_escaped(byte, policy, out)?;
            }
            b'\\' => {
                is_compliant = false;
                push_backslash(policy, out)?;
            }
            b';' if policy.semicolon == SemicolonPolicy::Refuse => return Err(Refusal::Semicolon),
            b';' => out.push(';'),
            byte if is_plain(*byte) => out.push(char::from(*byte)),
            byte => {
                is_compliant = false;
                push_escape(*byte, out);
            }
        }
    }
    Ok(is_compliant)
}

/// The byte of two hexadecimal digits.
fn escaped(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn push_escaped(byte: u8, policy: UriPolicy, out: &mut String) -> Result<(), Refusal> {
    match byte {
        _ if byte.is_ascii_control() => return Err(Refusal::ControlInTarget),
        _ if is_unreserved(byte) => out.push(char::from(byte)),
        b'\\' => push_backslash(policy, out)?,
        b'/' => match policy.encoded_slash {
            EncodedSlashPolicy::Keep => out.push_str("%2F"),
            EncodedSlashPolicy::Decode => out.push('/'),
            EncodedSlashPolicy::Refuse => return Err(Refusal::EncodedSlash),
        },
        _ => push_escape(byte, out),
    }
    Ok(())
}

fn push_backslash(policy: UriPolicy, out: &mut String) -> Result<(), Refusal> {
    match policy.backslash {
        BackslashPolicy::Keep => out.push_str("%5C"),
        BackslashPolicy::Slash => out.push('/'),
        BackslashPolicy::Refuse => return Err(Refusal::Backslash),
    }
    Ok(())
}

/// Appends `%` and two digits in upper case.
pub(super) fn push_escape(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 0xF)]));
}

fn merge_slashes(start: usize, out: &mut String) {
    let path = out.split_off(start);
    let mut previous = ' ';
    for character in path.chars() {
        if character != '/' || previous != '/' {
            out.push(character);
        }
        previous = character;
    }
}

/// RFC 3986, section 5.2.4: a `..` above the root is dropped.
fn resolve_dot_segments(start: usize, out: &mut String) {
    let path = out.split_off(start);
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                let parent = out[start..].rfind('/').unwrap_or(0);
                out.truncate(start + parent);
            }
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
        if is_last && matches!(segment, "." | "..") {
            out.push('/');
        }
    }
}

/// Whether servers that decode `%2F` or `%5C`, or cut path parameters off, find a dot segment.
fn has_hidden_dot_segment(path: &str) -> bool {
    let is_suspect = |segment: &&str| segment.contains(';') || segment.contains('%');
    path.split('/').filter(is_suspect).any(|segment| {
        let parts = segment.split("%2F").flat_map(|part| part.split("%5C"));
        parts
            .filter_map(|part| part.split(';').next()?.split("%3B").next())
            .any(|part| matches!(part, "." | ".."))
    })
}
