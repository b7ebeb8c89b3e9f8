//! Who is to have access, as far as the command line says, checked before anything is changed.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use lb_files::private_file::FileError;
use nix::{
    errno::Errno,
    unistd::{Gid, Group},
};
use thiserror::Error;

use super::{Authority, CredentialsError};

/// Why access cannot be given as it is wanted: wrong usage.
#[derive(Debug, Error)]
pub enum AccessError {
    /// There is no such group.
    #[error("{option}: there is no group `{name}`; `groupadd --system {name}` makes it")]
    NoGroup {
        /// The option that names it.
        option: &'static str,
        /// Its name.
        name: String,
    },
    /// Groups cannot be looked up.
    #[error("{option}: cannot look up the group `{name}`")]
    Groups {
        /// The option that names it.
        option: &'static str,
        /// Its name.
        name: String,
        /// Why not.
        source: Errno,
    },
    /// Two sockets at one place.
    #[error("--read-socket and --socket are both {path}; give them two places")]
    OnePlace {
        /// The place.
        path: String,
    },
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what TLS needs.
    #[error("{path} {reason}")]
    Tls {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The authorities of clients cannot be used.
    #[error("--tls-client-ca: {0}")]
    ClientCa(String),
    /// The tokens file has an error.
    #[error("{path}: {error}")]
    Tokens {
        /// The file.
        path: String,
        /// What is wrong in it.
        error: CredentialsError,
    },
    /// Nobody would be let in.
    #[error("{path}: it names nobody; `xelb token NAME ROLE` makes a line for it")]
    Nobody {
        /// The tokens file.
        path: String,
    },
    /// Certificates are named that nobody could show.
    #[error(
        "{path} has `cert:` lines; add --tls-client-ca FILE, the authority of these certificates"
    )]
    NoClientCa {
        /// The tokens file.
        path: String,
    },
}

/// Who may use the API besides those whom the main socket lets in.
#[derive(Clone, Debug, Default)]
pub struct AccessOptions {
    /// Group of the main socket.
    pub socket_group: Option<Gid>,
    /// A second socket, for readers.
    pub read: Option<ReadSocket>,
    /// A TCP listener.
    pub remote: Option<Remote>,
}

/// A socket whose users may only look.
#[derive(Clone, Debug)]
pub struct ReadSocket {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub group: Gid,
}

/// A TCP listener, TLS only.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whom it lets in.
    pub authority: Arc<Authority>,
}

/// The group with this name or number, for this option.
pub fn group(option: &'static str, name: &str) -> Result<Gid, AccessError> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    let named = || name.to_owned();
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(AccessError::NoGroup { option, name: named() }),
        Err(source) => Err(AccessError::Groups { option, name: named(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names_and_numbers() {
        assert_eq!(group("--read-group", "root").unwrap(), Gid::from_raw(0));
        assert_eq!(group("--read-group", "4711").unwrap(), Gid::from_raw(4711));
        for name in ["no-such-group", "", "-1", "99999999999"] {
            let error = group("--read-group", name).unwrap_err();
            assert!(matches!(error, AccessError::NoGroup { .. }), "{name}: {error:?}");
            assert!(error.to_string().starts_with("--read-group: there is no group `"), "{error}");
        }
    }
}
