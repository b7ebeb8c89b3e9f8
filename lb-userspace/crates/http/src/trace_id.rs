//! PURE: the trace identifier of a request, in the form of `X-Amzn-Trace-Id`: `Root=1-<time>-<random>`.
//!
//! A `Root` that the client sends is kept, so that one trace goes through several balancers. Then the own
//! identifier is `Self`.

use crate::head::trim;

/// The identifier of one request: 8 hexadecimal digits of time, and 24 random ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId {
    /// Seconds since 1970.
    pub seconds: u32,
    /// From a random source of the caller.
    pub random: [u8; 12],
}

impl TraceId {
    /// Appends the value of the field, made from the value that the client has sent, if any.
    pub fn write_value(&self, received: Option<&[u8]>, out: &mut Vec<u8>) {
        let parts = || received.unwrap_or_default().split(|byte| *byte == b';').map(trim);
        let has_root = parts().any(|part| part.len() > 5 && starts_with(part, b"root="));
        out.extend_from_slice(if has_root { b"Self=" } else { b"Root=" });
        self.write(out);
        let is_replaced = |part: &[u8]| {
            part.is_empty()
                || starts_with(part, b"self=")
                || !has_root && starts_with(part, b"root=")
        };
        for part in parts().filter(|part| !is_replaced(part)) {
            out.push(b';');
            out.extend_from_slice(part);
        }
    }

    /// Appends `1-<time>-<random>`.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"1-");
        write_hexadecimal(&self.seconds.to_be_bytes(), out);
        out.push(b'-');
        write_hexadecimal(&self.random, out);
    }
}

fn write_hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]]);
    }
}

fn starts_with(part: &[u8], start: &[u8]) -> bool {
    part.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_of_the_client_is_kept() {
        let id = TraceId { seconds: 0x1234_abcd, random: [0xf0; 12] };
        let own = "1-1234abcd-f0f0f0f0f0f0f0f0f0f0f0f0";
        let cases = [
            (None, format!("Root={own}")),
            (Some(""), format!("Root={own}")),
            (Some("Root="), format!("Root={own}")),
            (Some("Root=1-a-b"), format!("Self={own};Root=1-a-b")),
            (Some("root=1-a-b;Sampled=1"), format!("Self={own};root=1-a-b;Sampled=1")),
            (Some("Self=1-x-y; Root=1-a-b;"), format!("Self={own};Root=1-a-b")),
            (Some("Sampled=1"), format!("Root={own};Sampled=1")),
        ];
        for (received, expected) in cases {
            let mut value = Vec::new();
            id.write_value(received.map(str::as_bytes), &mut value);
            assert_eq!(String::from_utf8_lossy(&value), expected, "{received:?}");
        }
    }
}
