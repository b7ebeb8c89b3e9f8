//! PURE: the line before a chunk: its size and its extensions (RFC 9112, section 7.1).
//!
//! It is stricter than the RFC in one point: white space, which senders must not generate, is refused.

use crate::{head::is_token_byte, refusal::Refusal};

/// What a line says; `content` is without its CRLF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkLine {
    pub(super) size: u64,
    /// Bytes of all extensions of the line.
    pub(super) extensions: usize,
}

/// Reads a line.
pub(super) fn read(content: &[u8]) -> Result<ChunkLine, Refusal> {
    let semicolon = memchr::memchr(b';', content).unwrap_or(content.len());
    let (digits, extensions) = content.split_at(semicolon);
    let size = hexadecimal(digits).ok_or(Refusal::BadChunkSize)?;
    let mut rest = extensions;
    while !rest.is_empty() {
        rest = extension(rest).ok_or(Refusal::BadChunkExtension)?;
    }
    Ok(ChunkLine { size, extensions: extensions.len() })
}

/// Digits only, below 2^64.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        number.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

/// What follows one extension: `;name`, `;name=token` or `;name="text"`.
fn extension(bytes: &[u8]) -> Option<&[u8]> {
    let name = bytes.strip_prefix(b";")?;
    let after_name = after_token(name)?;
    let Some(value) = after_name.strip_prefix(b"=") else { return Some(after_name) };
    match value.strip_prefix(b"\"") {
        Some(text) => after_quoted(text),
        None => after_token(value),
    }
}

fn after_token(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(bytes.len());
    (end > 0).then(|| &bytes[end..])
}

/// What follows the closing quote; no control characters but HTAB inside.
fn after_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut escaped = false;
    for (position, byte) in text.iter().enumerate() {
        match byte {
            _ if byte.is_ascii_control() && *byte != b'\t' => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(&text[position + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: Result<(u64, usize), Refusal>) {
        let line = read(content.as_bytes()).map(|line| (line.size, line.extensions));
        assert_eq!(line, expected, "{content:?}");
    }

    #[test]
    fn sizes_are_hexadecimal_digits_and_nothing_else() {
        check("0", Ok((0, 0)));
        check("000", Ok((0, 0)));
        check("a", Ok((10, 0)));
        check("1F4", Ok((500, 0)));
        check("ffffffffffffffff", Ok((u64::MAX, 0)));
        check("0ffffffffffffffff", Ok((u64::MAX, 0)));
        let bad = [
            "",
            "g",
            "0x1",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1\t",
            "1,",
            "1\r",
            "1 ;a",
            "10000000000000000",
        ];
        for content in bad {
            check(content, Err(Refusal::BadChunkSize));
        }
    }

    #[test]
    fn extensions_follow_the_grammar_without_white_space() {
        check("1;a", Ok((1, 2)));
        check("1;a=b", Ok((1, 4)));
        check("1;a=\"b;\\\" c\";d", Ok((1, 13)));
        check("1;a=\"\"", Ok((1, 5)));
        let bad = [
            "1;",
            "1;=",
            "1;a=",
            "1;a;",
            "1;;a",
            "1; a",
            "1;a =b",
            "1;a= b",
            "1;a=\"b",
            "1;a=\"b\\\"",
            "1;a=\"b\"c",
            "1;a\r",
            "1;a=\"\r\"",
            "1;a=\"\0\"",
            "1;é",
        ];
        for content in bad {
            check(content, Err(Refusal::BadChunkExtension));
        }
    }
}
