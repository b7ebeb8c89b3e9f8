//! PURE: the state of one side of a connection: requests in and responses out towards clients, the reverse
//! towards targets.
//!
//! The caller reads bytes and gives them to `read` until [`Event::NeedsMore`]; it writes what the other functions
//! append. Timeouts are the caller's, too.

mod client;
mod event;
mod message;
mod server;

pub use client::ClientConnection;
pub use event::{AfterExchange, Event, Read};
pub use server::{ServerConnection, ServerOptions};
