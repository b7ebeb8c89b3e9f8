//! REST and JSON over Unix sockets, or TLS: the only way that the command line speaks to an agent.

pub mod access;
mod bodies;
mod changes;
mod client;
mod connections;
mod doors;
mod events;
mod explain;
mod extract;
mod handshakes;
mod history;
mod model;
mod openapi;
mod parameters;
mod refused;
mod schema;
mod server;
mod socket;
mod stats;
mod turns;
mod watch;
mod way;

#[cfg(test)]
mod tests;

pub use client::{Changes, Client, ClientError, Terms};
pub use doors::Doors;
pub use explain::ExplainView;
pub use model::{
    ConfigurationView, CounterView, DropView, ErrorBody, ListenerTraffic, PreviewView,
    RevisionView, RevisionsView, Said, StatsView, TargetAdd, TargetPatch, TargetTraffic,
};
pub use openapi::document as openapi_document;
pub use socket::{BindError, SocketFile};
pub(crate) use stats::read as read_stats;
pub use watch::StateView;
pub use way::{Server, TlsWay, TokenSource, Way};
