//! Why access cannot be given as the command line or its files want it.

use lb_files::private_file::FileError;
use nix::errno::Errno;
use thiserror::Error;

use super::CredentialsError;

/// Why access cannot be given as it is wanted: wrong usage.
#[derive(Debug, Error)]
pub enum AccessError {
    /// There is no such group.
    #[error("{option}: there is no group `{name}`; create it with `groupadd --system {name}`")]
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
    #[error("--read-socket and --socket are both {path}; use two paths")]
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
    #[error("{path}: the file has no lines; `xelb token NAME ROLE` prints a line for it")]
    Nobody {
        /// The tokens file.
        path: String,
    },
    /// Clients have certificates, but there is no CA certificate to verify them.
    #[error(
        "{path} has `cert:` lines; add --tls-client-ca FILE with the CA certificate of these \
         clients"
    )]
    NoClientCa {
        /// The tokens file.
        path: String,
    },
}
