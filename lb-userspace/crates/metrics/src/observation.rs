//! PURE: all that one scrape shows as a value, and the text that it becomes.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use lb_agent::{Process, Snapshot};
use lb_api::StatsView;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::Registry,
};

use super::catalogue;

/// Room that a sample takes in the text, about; only saves copying while the text grows.
const SAMPLE_BYTES: usize = 90;

/// What is known of the agent and of its data path at one moment.
#[derive(Debug)]
pub struct Observation {
    /// The agent's state.
    pub(super) snapshot: Arc<Snapshot>,
    /// Traffic, made for the same snapshot: its lists are in the same order. `None` when there is no
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

    /// The text of the scrape, in the format OpenMetrics 1.0.
    pub fn into_text(self) -> Result<String, fmt::Error> {
        let samples = 500 + 10 * self.targets.len() + 5 * self.snapshot.listeners.len();
        let mut text = String::with_capacity(samples * SAMPLE_BYTES);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Observation {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        catalogue::families().try_for_each(|family| family.encode(self, &mut encoder))
    }
}
