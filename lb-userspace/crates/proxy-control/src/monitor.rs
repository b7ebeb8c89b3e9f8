//! What others may see of a running proxy: what its workers have counted, and what it serves.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lb_proxy::{Counter, Metrics, MetricsReader};

/// What is seen of a proxy at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What all workers have counted.
    pub metrics: Metrics,
    /// What is served.
    pub state: ProxyState,
}

impl Observed {
    /// Requests that a group has got since the proxy started.
    #[must_use]
    pub fn requests_of(&self, group: &str) -> u64 {
        self.metrics.groups.get(group).map_or(0, |sums| sums.get(Counter::Requests))
    }

    /// Requests and tunnels that a target has now.
    #[must_use]
    pub fn outstanding_of(&self, group: &str, target: SocketAddr) -> u64 {
        self.metrics.targets.get(&(group.to_owned(), target)).map_or(0, |sums| sums.outstanding)
    }
}

/// What a proxy serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyState {
    /// Whether the last configuration was refused.
    pub refused: bool,
    /// Lines of the access log that could not be written.
    pub lines_not_written: u64,
    /// Its listeners.
    pub listeners: Vec<ListenerState>,
    /// Its target groups.
    pub groups: Vec<GroupState>,
}

/// A listener that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerState {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// `http`, `https` or `tls`.
    pub protocol: &'static str,
}

/// A target group that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// Its name.
    pub name: String,
    /// Its targets.
    pub targets: usize,
    /// Those that are healthy.
    pub healthy: usize,
    /// Those that drain.
    pub draining: Vec<SocketAddr>,
}

/// Sees a proxy from other threads; a copy sees the same one. Before the proxy runs, there is nothing to see.
#[derive(Clone, Debug, Default)]
pub struct Monitor(Arc<Mutex<(Option<MetricsReader>, ProxyState)>>);

impl Monitor {
    /// What is seen now.
    #[must_use]
    pub fn observe(&self) -> Observed {
        // Counters are added up after the lock is free: the service never waits for a scrape.
        let (reader, state) = self.lock().clone();
        let metrics = reader.map(|reader| reader.read()).unwrap_or_default();
        Observed { metrics, state }
    }

    pub(crate) fn set_reader(&self, reader: MetricsReader) {
        self.lock().0 = Some(reader);
    }

    pub(crate) fn set_state(&self, state: ProxyState) {
        self.lock().1 = state;
    }

    fn lock(&self) -> MutexGuard<'_, (Option<MetricsReader>, ProxyState)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
