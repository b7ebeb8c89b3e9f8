//! PURE: the kinds of files that a configuration names.

use std::path::PathBuf;

/// A file that a configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamedFile {
    /// CA certificates to trust.
    Authorities(PathBuf),
    /// Lists of revoked certificates (CRL).
    RevocationLists(PathBuf),
    /// A certificate and its chain.
    Certificate(PathBuf),
    /// The private key of a certificate.
    Key(PathBuf),
    /// The program of a health check, a driver or a hook.
    Program(PathBuf),
    /// No file, but what runs units or containers on this host: the kind of the driver.
    HostDriver(&'static str),
    /// The seed of the flow hash.
    Seed(PathBuf),
    /// Header fields of the requests of a webhook.
    Headers(PathBuf),
    /// The key of a webhook's signatures.
    Secret(PathBuf),
}
