//! Why there is no answer, or not the wanted one; and whose fault that is.

use std::{io, time::Duration};

use thiserror::Error;

/// Why there is no answer, or not the wanted one.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no agent answers at {path}; is `xelb agent` running? use --socket for another path")]
    NoAgent {
        /// The socket.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The socket belongs to another user.
    #[error("not permitted to use {path}; run as root, or as a member of the socket's group")]
    NotPermitted {
        /// The socket.
        path: String,
    },
    /// The agent does not answer in time.
    #[error(
        "the agent at {path} has not answered for {waited:?}; it may still complete the request: \
         check with `xelb status`"
    )]
    TimedOut {
        /// The socket.
        path: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// What came is not an answer of an agent.
    #[error(
        "the answer from {path} is not understood: {reason}; do agent and CLI have the same \
             version?"
    )]
    Garbled {
        /// The socket.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Nobody answers at a remote address.
    #[error("no agent answers at {server}; does `xelb agent` run there with --listen?")]
    NoServer {
        /// Where it should be.
        server: String,
        /// Why not.
        source: io::Error,
    },
    /// The two ends do not believe each other.
    #[error("TLS with {server} fails: {reason}")]
    Tls {
        /// The other end.
        server: String,
        /// Why.
        reason: String,
    },
    /// The agent does not know the caller, or the caller's role does not permit the request: exit
    /// code 1.
    #[error("not permitted: {0}")]
    Refused(String),
    /// The request is wrong: exit code 2.
    #[error("{0}")]
    Invalid(String),
    /// The agent could not do it: exit code 1.
    #[error("{0}")]
    Failed(String),
}
