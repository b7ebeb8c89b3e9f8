//! Servers as they should not be: each reads messages in its own wrong way. All must agree on the end of what
//! is forwarded.

/// What a server does where a strict one refuses.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "all combinations exist")]
pub(super) struct Leniency {
    /// `Content-Length` wins over `Transfer-Encoding`.
    length_first: bool,
    /// The first of several lengths counts, and not the last.
    first_length: bool,
    /// CR alone ends a line, too.
    bare_cr: bool,
    /// `_` in names is read as `-`, and white space in them is dropped.
    loose_names: bool,
    /// A body of GET and HEAD is not read.
    no_body_of_get: bool,
}

impl Leniency {
    /// All combinations; `no_body_of_get` only on request, since such bodies are forwarded.
    pub(super) fn all(no_body_of_get: bool) -> impl Iterator<Item = Self> {
        (0..16_u8).map(move |bits| Self {
            length_first: bits & 1 != 0,
            first_length: bits & 2 != 0,
            bare_cr: bits & 4 != 0,
            loose_names: bits & 8 != 0,
            no_body_of_get,
        })
    }

    /// The length of the first request in these bytes, as this server sees it.
    pub(super) fn request_len(self, bytes: &[u8]) -> Option<usize> {
        let mut position = 0;
        let (mut length, mut is_chunked) = (None, false);
        let is_get = bytes.starts_with(b"GET ") || bytes.starts_with(b"HEAD ");
        loop {
            let (line, len) = self.line(&bytes[position..])?;
            position += len;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            match &*self.name(name) {
                "content-length" if self.first_length && length.is_some() => {}
                "content-length" => length = Some(number(value, 10)),
                "transfer-encoding" => is_chunked |= value.to_ascii_lowercase().contains("chunked"),
                _ => {}
            }
        }
        if self.no_body_of_get && is_get {
            return Some(position);
        }
        match length {
            Some(length) if self.length_first || !is_chunked => Some(position + length),
            _ if is_chunked => Some(position + self.chunks_len(&bytes[position..])?),
            _ => Some(position),
        }
    }

    fn name(self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        if self.loose_names { name.trim().replace('_', "-") } else { name }
    }

    /// A line and its length with its end.
    fn line(self, bytes: &[u8]) -> Option<(String, usize)> {
        let is_end = |byte: &u8| *byte == b'\n' || self.bare_cr && *byte == b'\r';
        let end = bytes.iter().position(is_end)?;
        let len = if bytes[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        let line = String::from_utf8_lossy(&bytes[..end]);
        Some((line.strip_suffix('\r').unwrap_or(&line).to_owned(), len))
    }

    fn chunks_len(self, bytes: &[u8]) -> Option<usize> {
        let mut position = 0;
        loop {
            let (line, len) = self.line(bytes.get(position..)?)?;
            position += len;
            let size = number(&line, 16);
            if size == 0 {
                break;
            }
            position += size;
            position += self.line(bytes.get(position..)?)?.1;
        }
        loop {
            let (line, len) = self.line(bytes.get(position..)?)?;
            position += len;
            if line.is_empty() {
                return Some(position);
            }
        }
    }
}

/// The digits at the start, as `strtol` reads them.
fn number(text: &str, radix: u32) -> usize {
    let digits = text.trim_start().trim_start_matches('+').chars().map_while(|c| c.to_digit(radix));
    digits.fold(0, |number, digit| number.wrapping_mul(radix as usize).wrapping_add(digit as usize))
}

/// The lenient servers do disagree on what a client may send; otherwise their agreement would say nothing.
#[test]
fn lenient_servers_disagree_on_what_is_refused() {
    let lens = |bytes: &str| {
        let mut lens: Vec<_> =
            Leniency::all(false).map(|server| server.request_len(bytes.as_bytes())).collect();
        lens.sort_unstable();
        lens.dedup();
        lens.len()
    };
    let start = "POST / HTTP/1.1\r\nHost: a\r\n";
    let cases = [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 2),
        ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 2),
        ("Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n", 2),
        ("Content-Length : 3\r\n\r\nabc", 2),
        ("A: b\rContent-Length: 3\r\n\r\nabc", 2),
        ("Content-Length: 3\r\n\r\nabc", 1),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n", 1),
    ];
    for (rest, expected) in cases {
        assert_eq!(lens(&format!("{start}{rest}")), expected, "{rest:?}");
    }
}
