//! PURE: keys of sticky cookies, and what a cookie is valid for.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of a key in bytes: that of the hash, which RFC 2104, section 3, advises.
pub const KEY_LENGTH: usize = 32;

/// HMAC-SHA-256 (RFC 2104, FIPS 180-4).
pub(super) type Authenticator = Hmac<Sha256>;

/// Keys that all hosts of a load balancer share. They are secret, and so have no `Debug` that shows
/// them.
#[derive(Clone)]
pub struct Keys {
    current: [u8; KEY_LENGTH],
    previous: Vec<[u8; KEY_LENGTH]>,
}

impl Keys {
    /// `current` makes cookies; `previous` ones are still valid. For a rotation, give every host
    /// the new key as a previous one first.
    #[must_use]
    pub fn new(current: [u8; KEY_LENGTH], previous: Vec<[u8; KEY_LENGTH]>) -> Self {
        Self { current, previous }
    }

    /// Authenticators of all keys, the current one first, which have read the scope already.
    pub(super) fn authenticators(&self, scope: &Scope<'_>) -> Vec<Authenticator> {
        let keys = std::iter::once(&self.current).chain(&self.previous);
        let authenticators = keys.filter_map(|key| Authenticator::new_from_slice(key).ok());
        authenticators.map(|authenticator| scope.read_into(authenticator)).collect()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("previous", &self.previous.len()).finish_non_exhaustive()
    }
}

/// What a cookie keeps a client with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// A target, for a duration that each answer renews: `AWSALB`.
    LbCookie,
    /// A target, as long as the application's own cookie is there: `AWSALBAPP`.
    AppCookie,
    /// A target group of a forward action: `AWSALBTG`.
    TargetGroup,
}

/// Where a cookie is valid. It is part of what is authenticated: elsewhere the cookie is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The kind.
    pub kind: ScopeKind,
    /// Name of the listener.
    pub listener: &'a str,
    /// Name of the target group; for [`ScopeKind::TargetGroup`], name of the rule.
    pub owner: &'a str,
}

impl Scope<'_> {
    fn read_into(&self, mut authenticator: Authenticator) -> Authenticator {
        let kind = match self.kind {
            ScopeKind::LbCookie => 1_u8,
            ScopeKind::AppCookie => 2,
            ScopeKind::TargetGroup => 3,
        };
        authenticator.update(b"xelb sticky cookie, version 1");
        authenticator.update(&[kind]);
        // With its length before it, no name can pass for the end of another.
        for name in [self.listener, self.owner] {
            authenticator.update(&(name.len() as u64).to_be_bytes());
            authenticator.update(name.as_bytes());
        }
        authenticator
    }
}
