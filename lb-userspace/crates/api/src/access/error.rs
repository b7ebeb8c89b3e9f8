//! Why access cannot be given as the command line or its files want it.

use lb_files::private_file::FileError;
use nix::errno::Errno;
use thiserror::Error;

use super::CredentialsError;

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
