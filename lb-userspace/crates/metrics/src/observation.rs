//! PURE: all that one scrape shows, as a value.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use lb_agent::{Process, Snapshot};
use lb_api::StatsView;

/// What is known of the agent and of its data path at one moment.
#[derive(Debug)]
pub struct Observation {
    /// The agent's state.
    pub(super) snapshot: Arc<Snapshot>,
    /// Traffic, made for the same snapshot: its lists are in the same order, without what the proxy
    /// reaches, which comes last. `None` when there is no
    /// data path, or its maps cannot be read.
    pub(super) traffic: Option<StatsView>,
    /// The agent's process.
    pub(super) process: Process,
    /// The label `target` of each target of the snapshot, in its order.
    pub(super) targets: Vec<String>,
}

impl Observation {
    /// Puts the parts together; `traffic` must have been made for `snapshot`.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, traffic: Option<StatsView>, process: Process) -> Self {
        let shown = |address: Option<IpAddr>, port| match address {
            Some(address) => SocketAddr::new(address, port).to_string(),
            None => format!(":{port}"),
        };
        let targets =
            snapshot.targets.iter().map(|target| shown(target.address, target.port)).collect();
        Self { snapshot, traffic, process, targets }
    }
}
