//! The proxy as a whole: starts workers, gives them snapshots, and stops them.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::{
    compiled::{Compiled, SnapshotError},
    counters::{Metrics, MetricsReader},
    listening::listen,
    log_event::LogEvent,
    snapshot::Snapshot,
    worker::{Command, StopReport, WorkerHandle, start},
    worker_state::Shared,
};

/// What does not change while the proxy runs.
#[derive(Debug, Clone)]
pub struct ProxyOptions {
    /// Threads that serve; at least one.
    pub workers: usize,
    /// Connections of clients that one worker has at most. Beyond it, nothing is accepted.
    pub connections_max: usize,
    /// TLS handshakes that one worker makes at a time.
    pub handshakes_max: usize,
    /// Whether listeners may have addresses that the host does not have, or not yet.
    pub freebind: bool,
    /// Where events of the access log go; an event that finds the channel full is lost and counted.
    pub access_log: Option<mpsc::Sender<LogEvent>>,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            connections_max: 20_000,
            handshakes_max: 64,
            freebind: false,
            access_log: None,
        }
    }
}

/// Why the proxy did not start, or did not take a snapshot. What was served before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The snapshot has a fault.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// An address cannot be listened on.
    #[error("listener {listener}: cannot listen on {address}: {source}")]
    Listen {
        /// The listener.
        listener: String,
        /// Its address.
        address: SocketAddr,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
}

/// A listener that workers accept for.
#[derive(Debug)]
struct Listening {
    /// As the snapshot has it; its port may be 0.
    configured: SocketAddr,
    local: SocketAddr,
    /// The sockets of the workers, for another process.
    sockets: Vec<TcpListener>,
}

/// A running proxy. Dropping it ends everything at once; see [`Self::stop`].
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    freebind: bool,
    listening: HashMap<String, Listening>,
}

impl Proxy {
    /// Starts workers and serves a snapshot.
    pub fn start(options: &ProxyOptions, snapshot: Snapshot) -> Result<Self, ProxyError> {
        Self::take_over(options, snapshot, Vec::new())
    }

    /// The same, with the listening sockets of another proxy: what waits to be accepted there is served here.
    /// Sockets of addresses that the snapshot does not have are closed.
    pub fn take_over(
        options: &ProxyOptions,
        snapshot: Snapshot,
        sockets: Vec<TcpListener>,
    ) -> Result<Self, ProxyError> {
        let nothing = Snapshot { listeners: Vec::new(), groups: Vec::new(), ..snapshot.clone() };
        let shared = Arc::new(Shared {
            compiled: ArcSwap::from_pointee(Compiled::new(nothing, None)?),
            access_log: options.access_log.clone(),
            connections_max: options.connections_max,
            handshakes_max: options.handshakes_max.max(1),
        });
        let workers = (0..options.workers.max(1))
            .map(|number| start(number, Arc::clone(&shared)))
            .collect::<Result<_, _>>()
            .map_err(ProxyError::Worker)?;
        let mut proxy =
            Self { shared, workers, freebind: options.freebind, listening: HashMap::new() };
        proxy.apply_with(snapshot, sockets)?;
        Ok(proxy)
    }

    /// The listening sockets, for [`Self::take_over`] in another process. Stop this proxy afterwards.
    pub fn listening_sockets(&self) -> io::Result<Vec<TcpListener>> {
        let sockets = self.listening.values().flat_map(|listening| &listening.sockets);
        sockets.map(TcpListener::try_clone).collect()
    }

    /// Serves another snapshot from the next request on. Requests that have begun go on as they are. With an
    /// error, nothing has changed.
    pub fn apply(&mut self, snapshot: Snapshot) -> Result<(), ProxyError> {
        self.apply_with(snapshot, Vec::new())
    }

    fn apply_with(
        &mut self,
        snapshot: Snapshot,
        mut inherited: Vec<TcpListener>,
    ) -> Result<(), ProxyError> {
        let compiled = Compiled::new(snapshot, Some(&self.shared.compiled.load()))?;
        let mut new = Vec::new();
        for listener in &compiled.listeners {
            let (name, address) = (&listener.config.name, listener.config.address);
            if self.listening.get(name).is_some_and(|kept| kept.configured == address) {
                continue;
            }
            let error = |source| ProxyError::Listen { listener: name.clone(), address, source };
            let is_inherited =
                |socket: &mut TcpListener| socket.local_addr().is_ok_and(|at| at == address);
            let mut sockets: Vec<TcpListener> = inherited.extract_if(.., is_inherited).collect();
            let missing = self.workers.len().saturating_sub(sockets.len());
            sockets.extend(listen(address, missing, self.freebind).map_err(error)?);
            let local = sockets.first().map_or(Ok(address), TcpListener::local_addr);
            let kept = sockets.iter().map(TcpListener::try_clone).collect::<io::Result<_>>();
            let listening = Listening {
                configured: address,
                local: local.map_err(error)?,
                sockets: kept.map_err(error)?,
            };
            new.push((Arc::clone(&listener.name), sockets, listening));
        }
        let is_kept = |name: &str, old: &Listening| {
            let mut listeners = compiled.listeners.iter();
            listeners.any(|one| one.config.name == name && one.config.address == old.configured)
        };
        let mut gone: Vec<Arc<str>> = Vec::new();
        self.listening.retain(|name, old| {
            let is_kept = is_kept(name, old);
            if !is_kept {
                gone.push(Arc::from(name.as_str()));
            }
            is_kept
        });
        // Workers must know a listener before its first connection, and until its last one.
        self.shared.compiled.store(Arc::new(compiled));
        for listener in gone {
            self.command_all(|| Command::Unlisten { listener: Arc::clone(&listener) });
        }
        for (listener, sockets, listening) in new {
            // There may be more sockets than workers: each of them must be accepted from.
            for (worker, socket) in self.workers.iter().cycle().zip(sockets) {
                let listener = Arc::clone(&listener);
                command(worker, Command::Listen { listener, socket });
            }
            self.listening.insert(listener.as_ref().to_owned(), listening);
        }
        self.command_all(|| Command::Refresh);
        Ok(())
    }

    /// Where a listener accepts connections: with its port, if the snapshot has port 0.
    #[must_use]
    pub fn local_address(&self, listener: &str) -> Option<SocketAddr> {
        self.listening.get(listener).map(|listening| listening.local)
    }

    /// What all workers have counted.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics_reader().read()
    }

    /// Reads what workers count, on other threads.
    #[must_use]
    pub fn metrics_reader(&self) -> MetricsReader {
        MetricsReader(self.workers.iter().map(|worker| Arc::clone(&worker.counters)).collect())
    }

    /// Accepts no more connections, lets requests end for `within`, and says what was cut.
    pub async fn stop(mut self, within: Duration) -> StopReport {
        self.listening.clear();
        let deadline = Instant::now() + within;
        let mut reports = Vec::new();
        for worker in &self.workers {
            let (report, received) = oneshot::channel();
            command(worker, Command::Stop { deadline, report });
            reports.push(received);
        }
        let mut sum = StopReport::default();
        for report in reports {
            // A worker that has panicked has nothing left to cut.
            let report = report.await.unwrap_or_default();
            sum.connections_cut += report.connections_cut;
            sum.requests_cut += report.requests_cut;
        }
        for worker in self.workers {
            // The worker has reported: its thread ends now.
            if worker.thread.join().is_err() {
                tracing::error!("a worker has panicked");
            }
        }
        sum
    }

    fn command_all(&self, make: impl Fn() -> Command) {
        for worker in &self.workers {
            command(worker, make());
        }
    }
}

fn command(worker: &WorkerHandle, what: Command) {
    if worker.commands.send(what).is_err() {
        tracing::error!("a worker has ended; restart the proxy");
    }
}
