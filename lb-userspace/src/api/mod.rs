//! REST and JSON over the Unix socket: the only way that the command line speaks to an agent.

mod changes;
mod client;
mod events;
mod explain;
mod extract;
mod history;
mod model;
mod server;
mod socket;
mod stats;
mod watch;

#[cfg(test)]
mod tests;

pub use client::{Changes, Client, ClientError, Terms};
pub use explain::ExplainView;
pub use model::{
    ConfigurationView, CounterView, DropView, ErrorBody, ListenerTraffic, PreviewView,
    RevisionView, RevisionsView, Said, StatsView, TargetAdd, TargetPatch, TargetTraffic,
};
pub use server::serve;
pub use socket::{BindError, SocketFile, bind};
pub use watch::StateView;
