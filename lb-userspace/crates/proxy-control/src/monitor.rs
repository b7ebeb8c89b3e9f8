//! What others may see of a running proxy: what its workers have counted, and what it serves.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lb_proxy::{Counter, Metrics, MetricsReader};

/// What is seen of a proxy at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What all workers have counted.
    pub metrics: Metrics,
    /// What is served.
    pub state: ProxyState,
    /// For how long no agent has said what to serve: zero while one is followed, `None` without an agent as the
    /// source.
    pub agent_absent: Option<Duration>,
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

/// Whether an agent says what to serve.
#[derive(Clone, Copy, Debug, Default)]
enum AgentContact {
    /// Nobody has asked one.
    #[default]
    None,
    Followed,
    /// Since then; what it had said was so old by then.
    Absent(Instant, Duration),
}

#[derive(Clone, Debug, Default)]
struct Seen {
    reader: Option<MetricsReader>,
    state: ProxyState,
    agent: AgentContact,
}

/// Sees a proxy from other threads; a copy sees the same one. Before the proxy runs, there is nothing to see.
#[derive(Clone, Debug, Default)]
pub struct Monitor(Arc<Mutex<Seen>>);

impl Monitor {
    /// What is seen now.
    #[must_use]
    pub fn observe(&self) -> Observed {
        // Counters are added up after the lock is free: the service never waits for a scrape.
        let Seen { reader, state, agent } = self.lock().clone();
        let metrics = reader.map(|reader| reader.read()).unwrap_or_default();
        let agent_absent = match agent {
            AgentContact::None => None,
            AgentContact::Followed => Some(Duration::ZERO),
            AgentContact::Absent(since, before) => Some(before + since.elapsed()),
        };
        Observed { metrics, state, agent_absent }
    }

    /// The agent has said what to serve, and its stream goes on.
    pub fn follows_agent(&self) {
        self.lock().agent = AgentContact::Followed;
    }

    /// There is no stream of the agent; what was served before goes on.
    pub fn lost_agent(&self) {
        let mut seen = self.lock();
        if !matches!(seen.agent, AgentContact::Absent(..)) {
            seen.agent = AgentContact::Absent(Instant::now(), Duration::ZERO);
        }
    }

    /// What is served now was said by an agent so long ago.
    pub fn serves_old(&self, age: Duration) {
        self.lock().agent = AgentContact::Absent(Instant::now(), age);
    }

    pub(crate) fn set_reader(&self, reader: MetricsReader) {
        self.lock().reader = Some(reader);
    }

    pub(crate) fn set_state(&self, state: ProxyState) {
        self.lock().state = state;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_absent_since_it_was_lost_or_said_something() {
        let monitor = Monitor::default();
        let absent = || monitor.observe().agent_absent;
        assert_eq!(absent(), None);
        monitor.lost_agent();
        std::thread::sleep(Duration::from_millis(20));
        // Attempts to reach it begin nothing anew.
        monitor.lost_agent();
        assert!(absent().unwrap() >= Duration::from_millis(20));
        monitor.follows_agent();
        assert_eq!(absent(), Some(Duration::ZERO));
        monitor.lost_agent();
        assert!(absent().unwrap() < Duration::from_secs(10));
        monitor.serves_old(Duration::from_mins(1));
        monitor.lost_agent();
        assert!(absent().unwrap() >= Duration::from_mins(1));
    }
}
