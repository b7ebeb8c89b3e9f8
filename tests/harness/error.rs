//! What goes wrong in a lab.

use std::{io, time::Duration};

use nix::errno::Errno;

/// A failure of the lab, not of what is tested in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process has no privileges.
    #[error(
        "a lab is made of network namespaces and mounts, which needs root: run it as root (sudo)"
    )]
    NotRoot,
    /// A program is not installed.
    #[error("these programs are not installed: {0}; `cargo xtask setup` installs them")]
    ToolsMissing(String),
    /// The binary `xelb` is not where it should be.
    #[error("there is no xelb at {0}: build it with `cargo build -p lb-userspace`")]
    XelbMissing(String),
    /// An operation on a file, socket or process.
    #[error("{what}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call.
    #[error("{what}")]
    System {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        source: Errno,
    },
    /// A command ran and failed.
    #[error("`{command}` on {host} failed ({status}):\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// The host it ran on.
        host: String,
        /// How it ended.
        status: String,
        /// What it printed.
        output: String,
    },
    /// Something was waited for and did not happen.
    #[error("waited {limit:?} in vain until {what}")]
    Timeout {
        /// What was waited for, and what was there instead.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// An answer that cannot be understood.
    #[error("{what}: {text}")]
    Answer {
        /// Whose answer, to what.
        what: String,
        /// The answer.
        text: String,
    },
}

/// Result of the lab's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Puts what was tried in front of an error.
pub trait Context<T> {
    /// Names what was tried.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::System { what: what(), source })
    }
}
