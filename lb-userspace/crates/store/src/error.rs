//! Errors of a store.

use std::io;

use thiserror::Error;

/// Errors of a store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// The failed action.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// Others could put files there, or have.
    #[error("{path} {reason}")]
    Unsafe {
        /// The directory, or a file in it.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Another agent uses it.
    #[error(
        "another xelb agent uses the state directory {dir}; stop it first, or use another one \
         with --state-dir"
    )]
    InUse {
        /// The directory.
        dir: String,
    },
    /// The file is not what an agent writes.
    #[error(
        "{path} is damaged ({reason}); restore it from a backup, or remove it and apply the \
             configuration again"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer xelb has written the file.
    #[error(
        "{path} has format {found}, and this xelb knows format {known}; run the newer xelb that \
         wrote it, or take the configuration from that one (`xelb get config`) and apply it to an \
         empty state directory"
    )]
    NewerFormat {
        /// The file.
        path: String,
        /// Its format.
        found: u64,
        /// The one that is known.
        known: u64,
    },
    /// The database cannot be read or written.
    #[error("cannot {action} {path}: {reason}")]
    Database {
        /// The failed action.
        action: &'static str,
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Somebody else was faster.
    #[error(
        "the configuration is at revision {current} by now ({who}: {what}), not at {base}; look at \
         it and try again"
    )]
    Conflict {
        /// The revision that the change was made from.
        base: u64,
        /// The one that there is.
        current: u64,
        /// Who made that.
        who: String,
        /// What it changed.
        what: String,
    },
}
