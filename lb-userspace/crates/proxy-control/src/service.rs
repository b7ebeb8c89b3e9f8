//! The main loop: it reloads the configuration, follows the health of targets, and stops. Signals come in as
//! values.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use lb_config::{Config, ConfigErrors, plural::counted};
use lb_files::file_reader::{FileReader, FilesUnread};
use lb_proxy::{Counter, Proxy, ProxyError, ProxyOptions, StopReport};
use lb_rules::sticky::Keys;
use rustls::crypto::aws_lc_rs;
use thiserror::Error;
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep_until},
};

use crate::{
    access_log::{AccessLog, LogDestination},
    health::HealthChecks,
    snapshot::Prepared,
    supervisor::Supervisor,
    unservable::{LoadError, UnservableConfig},
};

/// Changes of health that come within this time are one snapshot.
const HEALTH_SETTLE: Duration = Duration::from_millis(20);
/// How often lost lines of the access log are reported.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);
/// Listeners, and target groups, that are named in the log at start.
const NAMED_MAX: usize = 20;

/// Reads and checks the configuration, and the files that it names.
pub type Load = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// What does not change while the process runs.
#[derive(Clone)]
pub struct ServiceOptions {
    /// The configuration file, for messages.
    pub file: PathBuf,
    /// Reads it.
    pub load: Load,
    /// Threads that serve.
    pub workers: usize,
    /// Log of the requests of listeners without a log of their own.
    pub access_log: Option<LogDestination>,
    /// How long requests may take to end when the process stops.
    pub drain_timeout: Duration,
}

/// What the process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration and the certificates, open the logs again.
    Hangup,
    /// The configuration file has changed.
    FileChanged,
    /// SIGTERM or SIGINT: stop; a second one does not wait for requests.
    Terminate,
}

/// Why the process does not start, or does not use another configuration.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The configuration has a fault, or cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its files are not read in time.
    #[error(transparent)]
    Unread(#[from] FilesUnread),
    /// An access log cannot be opened.
    #[error("{0}")]
    AccessLog(String),
    /// The host does not have the address of a listener.
    #[error(
        "listener {listener}: this host has no address {ip}: add it (`ip address add {ip} dev lo`), \
         or a local route of its prefix (`ip route add local PREFIX dev lo`)",
        ip = address.ip()
    )]
    AddressMissing {
        /// The listener.
        listener: String,
        /// Its address.
        address: SocketAddr,
    },
    /// The port needs a privilege.
    #[error(
        "listener {listener}: may not listen on {address}: run as root or with \
         CAP_NET_BIND_SERVICE"
    )]
    PortForbidden {
        /// The listener.
        listener: String,
        /// Its address.
        address: SocketAddr,
    },
    /// The proxy does not take it.
    #[error(transparent)]
    Proxy(ProxyError),
    /// A thread cannot be started, or a signal not be handled.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    /// There are no random numbers.
    #[error("the system gives no random numbers for the keys of cookies")]
    Random,
}

impl ServiceError {
    /// Whether the configuration has to be corrected.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Load(_) | Self::Proxy(ProxyError::Snapshot(_)))
    }
}

impl From<ProxyError> for ServiceError {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Listen { listener, address, source } => match source.kind() {
                io::ErrorKind::AddrNotAvailable => Self::AddressMissing { listener, address },
                io::ErrorKind::PermissionDenied => Self::PortForbidden { listener, address },
                _ => Self::Proxy(ProxyError::Listen { listener, address, source }),
            },
            error => Self::Proxy(error),
        }
    }
}

/// A proxy that serves a configuration file.
pub struct Service {
    options: ServiceOptions,
    reader: FileReader,
    proxy: Proxy,
    prepared: Prepared,
    checks: HealthChecks,
    sticky_keys: Keys,
    log: AccessLog,
    /// Number of the configuration, from 1.
    revision: u64,
    /// Whether the last configuration was refused.
    refused: bool,
    /// Lost lines of the access log that have been reported.
    lost_reported: u64,
}

impl Service {
    /// Reads the configuration and serves it. Must be called inside a tokio runtime.
    pub async fn start(options: ServiceOptions) -> Result<Self, ServiceError> {
        let reader = FileReader::default();
        let prepared = read(&reader, &options).await?;
        let mut key = [0; 32];
        let random = aws_lc_rs::default_provider().secure_random;
        random.fill(&mut key).map_err(|_| ServiceError::Random)?;
        let sticky_keys = Keys::new(key, Vec::new());
        let (log, events) = AccessLog::start()?;
        let opened = log.open(prepared.logs().clone()).await;
        opened.map_err(|error| ServiceError::AccessLog(error.to_string()))?;
        let proxy_options = ProxyOptions {
            workers: options.workers,
            access_log: Some(events),
            ..ProxyOptions::default()
        };
        let revision = 1;
        let snapshot = prepared.snapshot(revision, &sticky_keys, |_| None);
        let proxy = Proxy::start(&proxy_options, snapshot)?;
        let mut checks = HealthChecks::new();
        checks.set(prepared.checks());
        let service = Self {
            options,
            reader,
            proxy,
            prepared,
            checks,
            sticky_keys,
            log,
            revision,
            refused: false,
            lost_reported: 0,
        };
        service.introduce();
        Ok(service)
    }

    /// Serves until [`Signal::Terminate`], or until nobody can send signals. Says what was cut.
    pub async fn run(
        mut self,
        signals: &mut mpsc::Receiver<Signal>,
        supervisor: &mut impl Supervisor,
    ) -> StopReport {
        let mut report = interval(REPORT_INTERVAL);
        let mut apply_at: Option<Instant> = None;
        loop {
            supervisor.report(&self.status());
            let due = apply_at.unwrap_or_else(Instant::now);
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(signal @ (Signal::Hangup | Signal::FileChanged)) => {
                        supervisor.reloading();
                        if signal == Signal::Hangup {
                            self.reopen_logs().await;
                        }
                        self.reload().await;
                    }
                    Some(Signal::Terminate) | None => break,
                },
                () = self.checks.changed() => {
                    apply_at.get_or_insert(Instant::now() + HEALTH_SETTLE);
                }
                () = sleep_until(due), if apply_at.is_some() => {
                    apply_at = None;
                    self.apply_health();
                }
                () = supervisor.wake() => {}
                _ = report.tick() => self.report_lost(),
            }
        }
        supervisor.stopping();
        self.stop(signals).await
    }

    /// The state in one line.
    fn status(&self) -> String {
        let (healthy, targets) = self.checks.counts();
        let refused =
            if self.refused { "; the last configuration was refused, see the log" } else { "" };
        format!(
            "listeners: {}, target groups: {}, targets: {targets}, healthy: {healthy}{refused}",
            self.prepared.listeners().len(),
            self.prepared.groups().count()
        )
    }

    fn introduce(&self) {
        let file = self.options.file.display();
        let (version, workers) = (env!("CARGO_PKG_VERSION"), self.options.workers);
        tracing::info!(
            "xelb proxy {version} serves {file} with {}",
            counted(workers as u64, "worker")
        );
        let listeners = self.prepared.listeners();
        for listener in listeners.iter().take(NAMED_MAX) {
            let scheme = if listener.tls.is_some() { "https" } else { "http" };
            let rules = counted(listener.rules.rules().rules().count() as u64, "rule");
            tracing::info!("listener {}: {scheme} at {}, {rules}", listener.name, listener.address);
            if !listener.attributes.proxy_protocol_sources.is_empty() {
                tracing::info!(
                    "listener {}: connections from its trusted_proxies must begin with a PROXY header",
                    listener.name
                );
            }
        }
        for group in self.prepared.groups().take(NAMED_MAX) {
            let targets = counted(group.targets.len() as u64, "target");
            tracing::info!("target group {}: {targets}", group.name);
        }
        let most = listeners.len().max(self.prepared.groups().count());
        if most > NAMED_MAX {
            tracing::info!("only the first {NAMED_MAX} listeners and target groups are named here");
        }
    }

    async fn reopen_logs(&self) {
        if let Err(error) = self.log.open(self.prepared.logs().clone()).await {
            tracing::error!("{error}; lines go on to the logs that are open");
        }
    }

    /// Serves the configuration as it is now. One with a fault changes nothing.
    async fn reload(&mut self) {
        let outcome = self.take_over().await;
        self.refused = outcome.is_err();
        let file = self.options.file.display();
        match outcome {
            Ok(()) => tracing::info!(
                "configuration {file} is read again and served: {} (revision {})",
                self.status(),
                self.revision
            ),
            Err(error) => {
                let line = match &error {
                    ServiceError::Load(error) => error.line(&self.options.file),
                    error => format!("{file}: {error}"),
                };
                tracing::error!("the configuration is refused, and the old one stays: {line}");
            }
        }
    }

    async fn take_over(&mut self) -> Result<(), ServiceError> {
        let prepared = read(&self.reader, &self.options).await?;
        let opens_logs = prepared.logs() != self.prepared.logs();
        if opens_logs {
            let opened = self.log.open(prepared.logs().clone()).await;
            opened.map_err(|error| ServiceError::AccessLog(error.to_string()))?;
        }
        let revision = self.revision + 1;
        let state = |target: &_| self.checks.state(target);
        let snapshot = prepared.snapshot(revision, &self.sticky_keys, state);
        if let Err(error) = self.proxy.apply(snapshot) {
            if opens_logs {
                self.reopen_logs().await;
            }
            return Err(error.into());
        }
        self.checks.set(prepared.checks());
        self.prepared = prepared;
        self.revision = revision;
        Ok(())
    }

    fn apply_health(&mut self) {
        let state = |target: &_| self.checks.state(target);
        let snapshot = self.prepared.snapshot(self.revision, &self.sticky_keys, state);
        if let Err(error) = self.proxy.apply(snapshot) {
            tracing::error!("cannot apply the health of targets: {error}; please report this");
        }
    }

    /// Lines of the access log that nobody took in time, and those that could not be written.
    fn lost(&self) -> u64 {
        self.proxy.metrics().total.get(Counter::LostLogLines) + self.log.lost()
    }

    fn report_lost(&mut self) {
        let lost = self.lost();
        if lost > self.lost_reported {
            tracing::warn!("{} of the access log lost since the start", counted(lost, "line"));
            self.lost_reported = lost;
        }
    }

    async fn stop(self, signals: &mut mpsc::Receiver<Signal>) -> StopReport {
        let within = self.options.drain_timeout;
        tracing::info!("stopping: no new connections, requests may end within {within:?}");
        let not_taken = self.proxy.metrics().total.get(Counter::LostLogLines);
        let stop = self.proxy.stop(within);
        let report = tokio::select! {
            report = stop => report,
            () = terminated(signals) => {
                tracing::warn!("stopped at once by a second signal; open connections are cut");
                return StopReport::default();
            }
        };
        let lost = not_taken + self.log.finish().await;
        if lost > 0 {
            tracing::warn!("{} of the access log lost", counted(lost, "line"));
        }
        let StopReport { connections_cut, requests_cut } = report;
        if connections_cut == 0 {
            tracing::info!("stopped; no connection was cut");
        } else {
            tracing::warn!(
                "stopped; cut after {within:?}: {}, {requests_cut} of them with a request or tunnel",
                counted(connections_cut as u64, "connection")
            );
        }
        report
    }
}

/// Waits for [`Signal::Terminate`]; for ever if nobody can send signals.
async fn terminated(signals: &mut mpsc::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            Some(Signal::Terminate) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Reads and prepares the configuration away from the main loop: files may be slow, and rules many.
async fn read(reader: &FileReader, options: &ServiceOptions) -> Result<Prepared, ServiceError> {
    let ServiceOptions { file, load, access_log, .. } = options.clone();
    let job = move || -> Result<Prepared, LoadError> {
        let config = load()?;
        let prepared = Prepared::new(&config, access_log.as_ref());
        Ok(prepared.map_err(|parts| UnservableConfig { file, parts })?)
    };
    Ok(reader.run(job).await??)
}
