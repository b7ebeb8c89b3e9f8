//! REST and JSON over Unix sockets, or TLS: the only way that the command line speaks to an agent.

pub mod access;
mod client;
mod doors;
mod events;
mod explain;
mod extract;
mod model;
mod server;
mod socket;
mod stats;
mod way;

#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use doors::Doors;
pub use explain::ExplainView;
pub use model::{
    CounterView, DropView, ErrorBody, ListenerTraffic, Said, StatsView, TargetAdd, TargetPatch,
    TargetTraffic,
};
pub use socket::{BindError, SocketFile};
pub use way::{Server, TlsWay, TokenSource, Way};
