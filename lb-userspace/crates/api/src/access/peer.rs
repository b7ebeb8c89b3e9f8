//! The other end of a connection, and who it is: the kernel says so for a Unix socket, a token or
//! a certificate for TCP.

use std::{future::pending, io, net::SocketAddr, sync::Arc};

use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, ORIGIN},
};
use nix::unistd::{Uid, User};
use rustls::pki_types::CertificateDer;
use tokio::{net::UnixStream, task::spawn_blocking};

use super::{Authority, Caller, Role, certificate::Names};

/// The other end of a connection.
#[derive(Debug)]
pub(crate) enum Peer {
    /// A process of this machine.
    Local(Caller),
    /// A client in TLS.
    Remote {
        /// Its address.
        address: SocketAddr,
        /// The names in its certificate, if it has shown one that is believed.
        names: Option<Names>,
        /// The authority that verifies its credentials.
        authority: Arc<Authority>,
    },
}

/// Why a client is not authenticated.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// He shows nothing.
    NoCredential,
    /// The credential is malformed.
    Malformed,
    /// Nobody has this token.
    WrongToken,
    /// His certificate is believed and has no role.
    NoRole(String),
    /// A browser sends the client certificate for requests of any web page.
    Page,
}

impl Peer {
    /// A client in TLS, with the first of its certificates.
    pub(crate) fn remote(
        address: SocketAddr,
        certificate: Option<&CertificateDer<'_>>,
        authority: Arc<Authority>,
    ) -> Self {
        Self::Remote { address, names: certificate.map(Names::of), authority }
    }

    /// The caller of a request with these headers. A token overrides a certificate.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Unknown> {
        let (names, authority) = match self {
            Self::Local(caller) => return Ok(caller.clone()),
            Self::Remote { names, authority, .. } => (names, authority),
        };
        if let Some(token) = bearer(headers)? {
            let caller = authority.find(|credentials| credentials.by_token(token));
            return caller.ok_or(Unknown::WrongToken);
        }
        let names = names.as_ref().ok_or(Unknown::NoCredential)?;
        if headers.contains_key(ORIGIN) {
            return Err(Unknown::Page);
        }
        let caller = authority.find(|credentials| credentials.by_certificate(names));
        caller.ok_or_else(|| Unknown::NoRole(names.shown().to_owned()))
    }

    /// Waits until the credential of a request with these headers is revoked: its token, or the
    /// role of its certificate. On a Unix socket that never happens.
    pub(crate) async fn revoked(&self, headers: &HeaderMap) {
        let Self::Remote { authority, .. } = self else {
            return pending().await;
        };
        let mut reloads = authority.reloads();
        while self.caller(headers).is_ok() {
            if reloads.changed().await.is_err() {
                // The sender lives as long as the authority does, which we hold.
                return pending().await;
            }
        }
        self.log_refusal("its credential is revoked, and its stream ends");
    }

    /// Logs why it is refused; on a Unix socket there is nothing to guess.
    pub(super) fn log_refusal(&self, reason: &str) {
        if let Self::Remote { address, authority, .. } = self {
            authority.log_refusal(*address, reason);
        }
    }
}

/// The token of a request (RFC 6750, section 2.1); `None` when it has no such header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unknown> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let value = match (all.next(), all.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(Unknown::Malformed),
    };
    let text = value.to_str().map_err(|_| Unknown::Malformed)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Unknown::Malformed),
    }
}

/// The peer of a Unix socket. The kernel has authorized the connection with the socket's owner,
/// group and mode.
pub(crate) async fn local(stream: &UnixStream, role: Role) -> io::Result<Caller> {
    let uid = stream.peer_cred()?.uid();
    // The user database may be on the network.
    let user = spawn_blocking(move || User::from_uid(Uid::from_raw(uid)).ok().flatten()).await;
    let name = match user.ok().flatten() {
        Some(user) => format!("{} (uid {uid})", user.name),
        None => format!("uid {uid}"),
    };
    Ok(Caller { name, role })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn tokens_are_found_in_headers() {
        for (values, wanted) in [
            (vec![], Ok(None)),
            (vec!["Bearer abc"], Ok(Some("abc"))),
            (vec!["bearer  abc "], Ok(Some("abc"))),
            (vec!["Bearer "], Ok(Some(""))),
            (vec!["Bearer"], Err(Unknown::Malformed)),
            (vec!["Basic YTpi"], Err(Unknown::Malformed)),
            (vec!["abc"], Err(Unknown::Malformed)),
            (vec!["Bearer \u{fc}"], Err(Unknown::Malformed)),
            (vec!["Bearer abc", "Bearer abc"], Err(Unknown::Malformed)),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                headers.append(AUTHORIZATION, value);
            }
            assert_eq!(bearer(&headers), wanted, "{values:?}");
        }
    }

    #[tokio::test]
    async fn the_kernel_identifies_the_peer_of_a_socket() {
        let (one, _other) = UnixStream::pair().unwrap();
        let caller = local(&one, Role::Read).await.unwrap();
        let uid = nix::unistd::geteuid();
        let name = User::from_uid(uid).unwrap().unwrap().name;
        assert_eq!(caller, Caller { name: format!("{name} (uid {uid})"), role: Role::Read });
    }
}
