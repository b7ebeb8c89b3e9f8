//! PURE: what goes to the access log and the connection log.

use crate::{
    access_log::AccessEvent, connection_attempt::ConnectionAttempt, connection_log::ConnectionEvent,
};

/// A request or a connection that has ended, or a connection that begins.
#[derive(Debug, Clone, PartialEq)]
pub enum LogEvent {
    /// A request.
    Request(Box<AccessEvent>),
    /// A connection.
    Connection(Box<ConnectionEvent>),
    /// A connection that was accepted, or failed before its first request: for the connection log.
    Attempt(Box<ConnectionAttempt>),
}

impl LogEvent {
    /// Name of the listener.
    #[must_use]
    pub fn listener(&self) -> &str {
        match self {
            Self::Request(event) => &event.listener,
            Self::Connection(event) => &event.listener,
            Self::Attempt(attempt) => &attempt.listener,
        }
    }
}
