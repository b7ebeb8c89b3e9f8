//! PURE: the name of a connection of a client, in the access log and in the connection log.

use std::fmt;

/// Names a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionId(pub u128);

/// As ALB writes it: `TID_` and 32 hexadecimal digits.
impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TID_{:032x}", self.0)
    }
}
