//! REST and JSON over the Unix socket: the only way that the command line speaks to an agent.

mod client;
mod events;
mod explain;
mod extract;
mod model;
mod server;
mod socket;
mod stats;

#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use explain::ExplainView;
pub use model::{
    CounterView, DropView, ErrorBody, ListenerTraffic, Said, StatsView, TargetAdd, TargetPatch,
    TargetTraffic,
};
pub use server::serve;
pub use socket::{BindError, SocketFile, bind};
pub(crate) use stats::read as read_stats;
