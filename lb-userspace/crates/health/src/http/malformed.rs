//! PURE: the error of an answer that is not HTTP/1, or that the engine refuses. The engine itself
//! says less than people need.

/// Bytes of a line that are shown.
const SHOWN: usize = 60;

/// What is wrong with these bytes, the start of an answer; `None` when nothing is found.
pub(super) fn describe(seen: &[u8], too_large: bool, bytes_max: usize) -> Option<String> {
    if let Some(protocol) = other_protocol(seen) {
        return Some(protocol);
    }
    let mut lines = seen.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let status = lines.next()?;
    if too_large {
        return Some(format!(
            "the head of the answer has more than {} KiB or 100 fields",
            bytes_max / 1024
        ));
    }
    if !is_status_line(status) {
        return Some(format!(
            "the answer's first line is not a status line of HTTP/1: {}",
            start(status, SHOWN)
        ));
    }
    let fields: Vec<&[u8]> = lines.take_while(|line| !line.is_empty()).collect();
    if let Some(field) = fields.iter().find(|field| !is_field(field)) {
        return Some(format!("the answer has a malformed header: {}", start(field, SHOWN)));
    }
    let lengths: Vec<&[u8]> =
        fields.iter().filter_map(|field| value(field, b"content-length")).collect();
    let wrong = lengths.iter().find(|length| {
        **length != lengths[0] || length.is_empty() || !length.iter().all(u8::is_ascii_digit)
    });
    if let Some(wrong) = wrong {
        let why = if lengths.len() > 1 { "contradicts another one" } else { "is not a number" };
        return Some(format!("the answer's header content-length {why}: {}", start(wrong, SHOWN)));
    }
    let encoding = fields.iter().find_map(|field| value(field, b"transfer-encoding"))?;
    Some(format!(
        "the answer's header transfer-encoding cannot be used: {}",
        start(encoding, SHOWN)
    ))
}

/// The start of some bytes, as people can read it.
pub(super) fn start(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes.get(..most.min(bytes.len())).unwrap_or_default());
    format!("{text:?}")
}

/// Names what is not HTTP/1 at all.
fn other_protocol(seen: &[u8]) -> Option<String> {
    /// A frame SETTINGS with length, type, flags and stream 0: how an HTTP/2 server begins.
    fn is_settings(seen: &[u8]) -> bool {
        matches!(seen, [0, 0, length, 4, _, 0, 0, 0, 0, ..] if length % 6 == 0)
    }
    match seen {
        [0x14..=0x17, 3, 0..=4, ..] => {
            Some("the answer is TLS, not HTTP/1: use `protocol: https`".to_owned())
        }
        _ if is_settings(seen) => {
            Some("the answer is HTTP/2; http checks speak HTTP/1.1 only".to_owned())
        }
        _ if !b"HTTP/".starts_with(seen.get(..5.min(seen.len()))?) => {
            let line = seen.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
            Some(format!("the answer is not HTTP/1: it begins {}", start(line, SHOWN)))
        }
        _ => None,
    }
}

/// Version, a space, three digits (RFC 9112, section 4).
fn is_status_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"HTTP/1.") else {
        return false;
    };
    match rest {
        [b'0' | b'1', b' ', code @ ..] => {
            let (digits, phrase) = code.split_at(3.min(code.len()));
            digits.len() == 3
                && digits.iter().all(u8::is_ascii_digit)
                && matches!(phrase.first(), None | Some(b' '))
                && phrase.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control())
        }
        _ => false,
    }
}

/// A name of token characters, a colon, no control characters (RFC 9112, section 5); or a continued
/// line.
fn is_field(line: &[u8]) -> bool {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return true;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let (name, value) = line.split_at(colon);
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = name.trim_ascii_end();
    !name.is_empty()
        && name.iter().all(token)
        && value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

/// The value of a field of this name.
fn value<'line>(line: &'line [u8], wanted: &[u8]) -> Option<&'line [u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    name.trim_ascii_end().eq_ignore_ascii_case(wanted).then(|| value[1..].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_is_wrong_is_named() {
        let cases: [(&[u8], &str); 12] = [
            (
                b"SSH-2.0-OpenSSH_9.2p1\r\n",
                "the answer is not HTTP/1: it begins \"SSH-2.0-OpenSSH_9.2p1\"",
            ),
            (
                b"\x15\x03\x03\x00\x02\x02\x0a",
                "the answer is TLS, not HTTP/1: use `protocol: https`",
            ),
            (
                b"\0\0\x06\x04\0\0\0\0\0\0\x03",
                "the answer is HTTP/2; http checks speak HTTP/1.1 only",
            ),
            (
                b"HTTP/2.0 200\r\n\r\n",
                "the answer's first line is not a status line of HTTP/1: \"HTTP/2.0 200\"",
            ),
            (
                b"HTTP/1.1 OK\r\n\r\n",
                "the answer's first line is not a status line of HTTP/1: \"HTTP/1.1 OK\"",
            ),
            (
                b"HTTP/1.1 2000 OK\r\n\r\n",
                "the answer's first line is not a status line of HTTP/1: \"HTTP/1.1 2000 OK\"",
            ),
            (
                b"HTTP/1.1 200 OK\r\nno field\r\n\r\n",
                "the answer has a malformed header: \"no field\"",
            ),
            (b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "the answer has a malformed header: \"a b: c\""),
            (
                b"HTTP/1.1 200 OK\r\na: \x01\r\n\r\n",
                "the answer has a malformed header: \"a: \\u{1}\"",
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
                "the answer's header content-length contradicts another one: \"2\"",
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "the answer's header content-length is not a number: \"-1\"",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, what\r\n\r\n",
                "the answer's header transfer-encoding cannot be used: \"chunked, what\"",
            ),
        ];
        for (seen, expected) in cases {
            let said = describe(seen, false, 16384).unwrap_or_default();
            assert_eq!(said, expected);
            // Only what is another protocol is called that.
            let says = said.contains("not HTTP/1") || said.contains("is HTTP/2;");
            assert!(!(says && seen.starts_with(b"HTTP/1.")), "{said}");
        }
        let large = describe(b"HTTP/1.1 200 OK\r\nx", true, 16384).unwrap();
        assert_eq!(large, "the head of the answer has more than 16 KiB or 100 fields");
        assert_eq!(describe(b"HTTP/1.1 200 OK\r\na: b\r\n\r\n", false, 1), None);
    }
}
