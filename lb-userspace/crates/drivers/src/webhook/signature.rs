//! PURE: the signature of a request: HMAC-SHA256 over time and body, so that a recorded request
//! cannot be used later.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header with the signature: `t=UNIX_SECONDS,v1=HEX`.
pub const SIGNATURE_HEADER: &str = "xelb-signature";

/// The value of the header.
pub(super) fn sign(secret: &[u8], now: u64, body: &[u8]) -> String {
    let code = code(secret, now, body).map(|code| code.finalize().into_bytes());
    format!("t={now},v1={}", code.map(|code| HEXLOWER_PERMISSIVE.encode(&code)).unwrap_or_default())
}

/// Whether a signature is that of a body, and at most `tolerance` seconds old or early. It is what
/// a server does, and serves tests and servers in Rust.
#[must_use]
pub fn verify_signature(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: u64,
    tolerance: u64,
) -> bool {
    let Some((time, signature)) = header.split_once(",v1=") else { return false };
    let Some(time) = time.strip_prefix("t=").and_then(|time| time.parse::<u64>().ok()) else {
        return false;
    };
    let Ok(signature) = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else { return false };
    let is_right =
        code(secret, time, body).is_some_and(|code| code.verify_slice(&signature).is_ok());
    is_right && time.abs_diff(now) <= tolerance
}

/// A key may have any length.
fn code(secret: &[u8], time: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    code.update(format!("{time}.").as_bytes());
    code.update(body);
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_one_time_and_body() {
        let header = sign(b"secret", 1000, b"{}");
        // printf '1000.{}' | openssl dgst -sha256 -hmac secret
        let expected = "t=1000,v1=";
        assert!(header.starts_with(expected) && header.len() == expected.len() + 64, "{header}");
        // (secret, body, now, right)
        let cases: [(&[u8], &[u8], u64, bool); 5] = [
            (b"secret", b"{}", 1000, true),
            (b"secret", b"{}", 1300, true),
            (b"secret", b"{}", 1301, false),
            (b"secret", b"{ }", 1000, false),
            (b"other", b"{}", 1000, false),
        ];
        for (secret, body, now, right) in cases {
            assert_eq!(verify_signature(secret, &header, body, now, 300), right);
        }
        for header in ["", "t=1000", "t=x,v1=00", "t=1000,v1=zz", "t=1000,v1="] {
            assert!(!verify_signature(b"secret", header, b"{}", 1000, 300), "{header}");
        }
    }
}
