//! Bearer tokens: made here, and known by their digest alone.

use std::fmt;

use data_encoding::HEXLOWER;
use rustls::crypto::{GetRandomFailed, aws_lc_rs};
use sha2::{Digest as _, Sha256};

/// Prefix of every token, so that secret scanners find it.
const PREFIX: &str = "xelb_";

/// Random bytes of a token. Nobody guesses as many, hence a plain digest is enough to keep it.
const RANDOM_BYTES: usize = 32;

/// SHA-256 of a token.
pub(super) type TokenDigest = [u8; 32];

/// A secret that names its holder. It does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token from a file or a variable.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// A new one, from the cryptographic library's random numbers.
    pub fn random() -> Result<Self, GetRandomFailed> {
        let mut bytes = [0; RANDOM_BYTES];
        aws_lc_rs::default_provider().secure_random.fill(&mut bytes)?;
        Ok(Self(format!("{PREFIX}{}", HEXLOWER.encode(&bytes))))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its representation in a file, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        HEXLOWER.encode(&digest(&self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

pub(super) fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether this can be the name of a token's holder, which appears in files and logs.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_random_and_hides_itself() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + 2 * RANDOM_BYTES);
        assert!(one.reveal().starts_with("xelb_"));
        assert_eq!(format!("{one:?}"), "Token(..)");
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Token::new("abc".to_owned()).digest(), known);
    }

    #[test]
    fn names_are_one_word() {
        for good in ["alice", "ci-7", "a.b@c_d", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "root(uid", "cert:alice", "ü", "#x", "a\n", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
