//! PURE: the value of a sticky cookie: expiry and a keyed hash of an identity, authenticated.
//!
//! ```text
//! base64url without padding (RFC 4648, section 5) of 41 bytes, big endian:
//!   version (1) | expiry, seconds since 1970 (8) | tag of the identity (16) | authentication (16)
//! ```
//!
//! The tag is HMAC-SHA-256 of scope and identity, cut to 16 bytes: a client cannot learn the
//! address of its target from it. The authentication is HMAC-SHA-256 of scope, version, expiry and
//! tag, cut to 16 bytes (RFC 2104, section 5).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hmac::Mac;
use subtle::ConstantTimeEq;

use super::keys::{Authenticator, Keys, Scope};

const VERSION: u8 = 1;
const TAG_LENGTH: usize = 16;
const SIGNED_LENGTH: usize = 1 + 8 + TAG_LENGTH;
const TOKEN_LENGTH: usize = SIGNED_LENGTH + 16;
/// Characters of a token.
pub(super) const TEXT_LENGTH: usize = 55;

/// A keyed hash of an identity.
pub(super) type Tag = [u8; TAG_LENGTH];

/// Why a cookie is not valid here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has another length, alphabet or version.
    Malformed,
    /// It was not made with one of the keys for this scope.
    Forged,
    /// It was valid once.
    Expired,
}

/// Makes and opens the tokens of a scope.
#[derive(Clone)]
pub(super) struct Tokens {
    /// Of every key, the current one first. There is one at least.
    authenticators: Vec<Authenticator>,
}

impl Tokens {
    pub(super) fn new(keys: &Keys, scope: &Scope<'_>) -> Self {
        Self { authenticators: keys.authenticators(scope) }
    }

    /// The tags of an identity under every key, the current one first.
    pub(super) fn tags(&self, identity: &[u8]) -> Vec<Tag> {
        let tag = |keyed: &Authenticator| code(keyed, &[b"identity", identity]);
        self.authenticators.iter().map(tag).collect()
    }

    /// A token with the current key.
    pub(super) fn seal(&self, tag: Tag, expiry: Duration) -> String {
        let mut token = [0; TOKEN_LENGTH];
        token[0] = VERSION;
        token[1..9].copy_from_slice(&expiry.as_secs().to_be_bytes());
        token[9..SIGNED_LENGTH].copy_from_slice(&tag);
        if let Some(keyed) = self.authenticators.first() {
            let code = code(keyed, &[b"token", &token[..SIGNED_LENGTH]]);
            token[SIGNED_LENGTH..].copy_from_slice(&code);
        }
        BASE64URL_NOPAD.encode(&token)
    }

    /// The tag in a valid token. The time depends on its length and on the number of keys alone.
    pub(super) fn open(&self, text: &[u8], now: Duration) -> Result<Tag, Refused> {
        let mut token = [0; TOKEN_LENGTH];
        if text.len() != TEXT_LENGTH || BASE64URL_NOPAD.decode_mut(text, &mut token).is_err() {
            return Err(Refused::Malformed);
        }
        let (signed, given) = token.split_at(SIGNED_LENGTH);
        let mut valid = subtle::Choice::from(0);
        for keyed in &self.authenticators {
            valid |= code(keyed, &[b"token", signed]).ct_eq(given);
        }
        if !bool::from(valid) {
            return Err(Refused::Forged);
        }
        let [VERSION, rest @ ..] = signed else { return Err(Refused::Malformed) };
        let (expiry, tag) = rest.split_at(8);
        let (Ok(expiry), Ok(tag)) = (expiry.try_into(), tag.try_into()) else {
            return Err(Refused::Malformed);
        };
        if u64::from_be_bytes(expiry) <= now.as_secs() { Err(Refused::Expired) } else { Ok(tag) }
    }
}

/// The first 16 bytes of HMAC-SHA-256 of scope, purpose and text.
fn code(keyed: &Authenticator, parts: &[&[u8]; 2]) -> [u8; 16] {
    let mut keyed = keyed.clone();
    for part in parts {
        // With its length before it, a purpose cannot run into the text.
        keyed.update(&(part.len() as u64).to_be_bytes());
        keyed.update(part);
    }
    let whole: [u8; 32] = keyed.finalize().into_bytes().into();
    let mut code = [0; 16];
    code.copy_from_slice(&whole[..16]);
    code
}
