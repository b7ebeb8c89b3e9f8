//! REST and JSON over Unix sockets, or TLS: the only interface between command line and agent.

pub mod access;
mod body_limits;
mod changes;
mod client;
mod concurrency;
mod connections;
mod context;
mod doctor;
mod documents;
mod early_answers;
mod error_responses;
mod events;
mod explain;
mod explain_http;
mod extract;
mod failure;
mod handshakes;
mod head_errors;
mod history;
mod host_doctor;
mod listener_sockets;
mod model;
mod openapi;
mod parameters;
mod parts;
mod proxies;
mod router;
mod scaling;
mod schema;
mod server;
mod socket;
mod stats;
mod transport;
mod watch;

#[cfg(test)]
mod tests;

pub use client::{Changes, Client, ClientError, ProxyFeed, Terms};
pub use explain::ExplainView;
pub use host_doctor::{FindingSeverity, FindingView, HostDoctor, Look, LookError};
pub use listener_sockets::ListenerSockets;
pub use model::{
    CapacityLimits, ConfigurationView, CounterView, DropView, ErrorBody, ListenerTraffic, Message,
    PartChanges, PreviewView, RevisionView, RevisionsView, StatsView, TargetAdd, TargetPatch,
    TargetTraffic,
};
pub use openapi::document as openapi_document;
pub use socket::{BindError, SocketFile};
pub use stats::read as read_stats;
pub use transport::{Server, TlsTransport, TokenSource, Transport};
pub use watch::StateView;
