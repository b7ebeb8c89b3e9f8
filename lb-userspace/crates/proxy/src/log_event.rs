//! PURE: what goes to the access log.

use crate::{access_log::AccessEvent, connection_log::ConnectionEvent};

/// A request or a connection that has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum LogEvent {
    /// A request.
    Request(Box<AccessEvent>),
    /// A connection.
    Connection(Box<ConnectionEvent>),
}

impl LogEvent {
    /// Name of the listener.
    #[must_use]
    pub fn listener(&self) -> &str {
        match self {
            Self::Request(event) => &event.listener,
            Self::Connection(event) => &event.listener,
        }
    }
}
