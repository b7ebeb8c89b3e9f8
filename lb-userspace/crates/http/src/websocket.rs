//! PURE: what is special about WebSockets (RFC 6455): over HTTP/1.1 the server answers a key of the client, which
//! shows that it has understood the request. Over HTTP/2 there is no key (RFC 8441, section 5).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};

/// The value of `Upgrade`, and of `:protocol`.
pub const PROTOCOL: &str = "websocket";

/// RFC 6455, section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A value of `Sec-WebSocket-Key`.
#[must_use]
pub fn key(random: [u8; 16]) -> String {
    STANDARD.encode(random)
}

/// The value of `Sec-WebSocket-Accept` that answers a key.
#[must_use]
pub fn accept(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether a field is the key.
#[must_use]
pub fn is_key(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"sec-websocket-key")
}

/// Whether a field is the answer to the key.
#[must_use]
pub fn is_accept(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"sec-websocket-accept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_document() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }
}
