//! PURE: the values of `Content-Length` (RFC 9110, section 8.6).

use crate::{head::trim, refusal::Refusal};

/// One or more values of a message that agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentLength {
    pub(super) bytes: u64,
    /// Whether the value came more than once, in one line or in several.
    pub(super) is_repeated: bool,
}

impl ContentLength {
    /// Takes another field line into account.
    pub(super) fn add(known: Option<Self>, value: &[u8]) -> Result<Self, Refusal> {
        let mut length = known;
        for element in value.split(|byte| *byte == b',') {
            let bytes = decimal(trim(element)).ok_or(Refusal::BadContentLength)?;
            length = match length {
                None => Some(Self { bytes, is_repeated: false }),
                Some(before) if before.bytes == bytes => Some(Self { bytes, is_repeated: true }),
                Some(_) => return Err(Refusal::MultipleContentLength),
            };
        }
        length.ok_or(Refusal::BadContentLength)
    }
}

/// Digits only: no sign, no white space, below 2^64.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
