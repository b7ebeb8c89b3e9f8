//! PURE: field lines that are copied, and those that frame a body.

use crate::{
    framing::BodyLength,
    head::{FieldSpan, Head},
    hop_by_hop::is_trailer,
};

/// Copies the field lines that `keep` says, as they came. Lines that follow each other are copied at once.
pub(super) fn copy_fields(
    head: &Head,
    keep: impl Fn(&FieldSpan, &[u8]) -> bool,
    out: &mut Vec<u8>,
) {
    // The last line ends before the empty line.
    let end = head.bytes.len().saturating_sub(2);
    let mut run = end..end;
    for field in &head.fields {
        let start = field.name.start as usize;
        if keep(field, &head.bytes[field.name.range()]) {
            if run.start == end {
                run.start = start;
            }
        } else if run.start != end {
            out.extend_from_slice(&head.bytes[run.start..start]);
            run.start = end;
        }
    }
    out.extend_from_slice(&head.bytes[run]);
}

/// The lines of a trailer section to forward, with their CRLF.
pub(crate) fn encode_trailers(trailers: &Head, out: &mut Vec<u8>) {
    copy_fields(trailers, |field, name| is_trailer(field.known, name), out);
}

/// Appends the field that frames a body.
pub(super) fn write_framing(body: BodyLength, out: &mut Vec<u8>) {
    match body {
        BodyLength::None | BodyLength::UntilClose => {}
        BodyLength::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            write_decimal(length, out);
            out.extend_from_slice(b"\r\n");
        }
        BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

/// Appends decimal digits without an allocation.
pub(super) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // A digit is below 10.
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 || start == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 999, 1 << 32, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), number.to_string());
        }
    }
}
