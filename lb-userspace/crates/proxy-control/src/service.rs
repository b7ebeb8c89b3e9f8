//! The main loop: it reloads the configuration, follows the health of targets, and stops. Signals come in as
//! values. What is special to an agent as the source is in `follow`.

use std::{collections::HashMap, io, mem, net::SocketAddr, path::PathBuf, time::Duration};

use lb_files::file_reader::{FileReader, FilesUnread};
use lb_proxy::{Proxy, ProxyError, ProxyOptions, StopReport};
use lb_rules::sticky::Keys;
use rustls::crypto::aws_lc_rs;
use thiserror::Error;
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep_until},
};

use crate::{
    access_log::{AccessLog, LogDestination},
    agent_source::{self, AgentSource},
    health::{HealthChecks, TargetStates},
    monitor::Monitor,
    snapshot::Prepared,
    source::{Load, Source},
    supervisor::Supervisor,
    tickets::Tickets,
    unservable::{LoadError, Unservable, UnservableConfig},
};

/// Changes of health that come within this time are one snapshot.
const HEALTH_SETTLE: Duration = Duration::from_millis(20);
/// How often lost lines of the access log are reported.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);
/// How often an agent is told how many connections there are.
const SERVED_INTERVAL: Duration = Duration::from_secs(1);
/// How often certificates that expire are named again.
const EXPIRY_INTERVAL: Duration = Duration::from_hours(24);

/// Why a file without such listeners is refused.
const NOTHING: &str = "there is no listener of http, https or tls: add one under `listeners`";

/// What does not change while the process runs.
#[derive(Clone)]
pub struct ServiceOptions {
    /// Where the configuration comes from.
    pub source: Source,
    /// Threads that serve.
    pub workers: usize,
    /// Log of the requests of listeners without a log of their own.
    pub access_log: Option<LogDestination>,
    /// How long requests may take to end when the process stops.
    pub drain_timeout: Duration,
    /// Who looks at the proxy.
    pub monitor: Option<Monitor>,
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

/// What is read to get a configuration.
#[derive(Clone)]
pub(crate) struct Reading {
    /// The file, or what people call the configuration of an agent.
    pub(crate) name: PathBuf,
    /// Reads it; `None`: there is nothing to serve.
    pub(crate) load: Option<Load>,
    /// Whether a configuration without listeners of the proxy is a mistake.
    pub(crate) must_serve: bool,
}

/// A proxy that serves a configuration file, or what an agent says.
pub struct Service {
    pub(crate) options: ServiceOptions,
    reader: FileReader,
    pub(crate) proxy: Proxy,
    pub(crate) prepared: Prepared,
    pub(crate) states: TargetStates,
    sticky_keys: Keys,
    tickets: Tickets,
    pub(crate) log: AccessLog,
    /// What was read for what is served.
    pub(crate) reading: Reading,
    /// `None` with a file.
    pub(crate) agent: Option<AgentSource>,
    /// Number of the configuration, from 1.
    pub(crate) revision: u64,
    /// Why the last configuration was refused; empty if it was not.
    pub(crate) refused: String,
    /// Lost lines of the access log that have been reported.
    pub(crate) lost_reported: u64,
}

impl Service {
    /// Reads the configuration and serves it; with an agent, it begins with nothing. Must be called inside a
    /// tokio runtime.
    pub async fn start(options: ServiceOptions) -> Result<Self, ServiceError> {
        let reader = FileReader::default();
        let (reading, agent, mut states) = match &options.source {
            Source::File { path, load } => {
                let load = Some(load.clone());
                let reading = Reading { name: path.clone(), load, must_serve: true };
                (reading, None, TargetStates::Checked(HealthChecks::new()))
            }
            Source::Agent { told, served } => {
                let reading = Reading { name: PathBuf::new(), load: None, must_serve: false };
                let agent = AgentSource::new(told.clone(), served.clone());
                (reading, Some(agent), TargetStates::Told(HashMap::new()))
            }
        };
        let tickets = Tickets::default();
        let prepared = read(&reader, &reading, &options, &tickets).await?;
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
            // An agent makes the routes of its VIPs, perhaps later.
            freebind: agent.is_some(),
            ..ProxyOptions::default()
        };
        let revision = 1;
        let snapshot = prepared.snapshot(revision, &sticky_keys, |_| None);
        let proxy = Proxy::start(&proxy_options, snapshot)?;
        states.set(prepared.checks());
        if let Some(monitor) = &options.monitor {
            monitor.set_reader(proxy.metrics_reader());
        }
        let service = Self {
            options,
            reader,
            proxy,
            prepared,
            states,
            sticky_keys,
            tickets,
            log,
            reading,
            agent,
            revision,
            refused: String::new(),
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
        let mut served = interval(SERVED_INTERVAL);
        let mut expiry = interval(EXPIRY_INTERVAL);
        let mut apply_at: Option<Instant> = None;
        loop {
            supervisor.report(&self.status());
            self.show();
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
                () = agent_source::changed(&mut self.agent) => self.follow(false).await,
                () = self.states.changed() => {
                    apply_at.get_or_insert(Instant::now() + HEALTH_SETTLE);
                }
                () = sleep_until(due), if apply_at.is_some() => {
                    apply_at = None;
                    self.apply_health();
                }
                () = supervisor.wake() => {}
                _ = served.tick() => self.report_served(),
                _ = report.tick() => self.report_lost(),
                _ = expiry.tick() => self.report_expiring(),
            }
        }
        supervisor.stopping();
        self.stop(signals).await
    }

    pub(crate) async fn reopen_logs(&self) {
        if let Err(error) = self.log.open(self.prepared.logs().clone()).await {
            tracing::error!("{error}; lines go on to the logs that are open");
        }
    }

    /// Serves the configuration as it is now. One with a fault changes nothing.
    async fn reload(&mut self) {
        if self.agent.is_some() {
            return self.follow(true).await;
        }
        if self.serve(self.reading.clone()).await {
            let file = self.reading.name.display();
            let (status, revision) = (self.status(), self.revision);
            tracing::info!(
                "configuration {file} is read again and served: {status} (revision {revision})"
            );
            self.report_expiring();
        }
    }

    /// Serves another configuration. Says whether it does; one with a fault changes nothing.
    pub(crate) async fn serve(&mut self, reading: Reading) -> bool {
        let name = reading.name.clone();
        match self.take_over(reading).await {
            Ok(()) => {
                self.refused.clear();
                true
            }
            Err(error) => {
                let line = match &error {
                    ServiceError::Load(error) => error.line(&name),
                    error => format!("{}: {error}", name.display()),
                };
                // With an agent, it is tried again and again.
                let is_new = mem::replace(&mut self.refused, line.clone()) != line;
                if is_new || self.agent.is_none() {
                    tracing::error!("the configuration is refused, and the old one stays: {line}");
                }
                false
            }
        }
    }

    async fn take_over(&mut self, reading: Reading) -> Result<(), ServiceError> {
        let prepared = read(&self.reader, &reading, &self.options, &self.tickets).await?;
        let opens_logs = prepared.logs() != self.prepared.logs();
        if opens_logs {
            let opened = self.log.open(prepared.logs().clone()).await;
            opened.map_err(|error| ServiceError::AccessLog(error.to_string()))?;
        }
        let revision = self.revision + 1;
        let state = |target: &_| self.states.state(target);
        let snapshot = prepared.snapshot(revision, &self.sticky_keys, state);
        if let Err(error) = self.proxy.apply(snapshot) {
            if opens_logs {
                self.reopen_logs().await;
            }
            return Err(error.into());
        }
        self.states.set(prepared.checks());
        self.prepared = prepared;
        self.reading = reading;
        self.revision = revision;
        Ok(())
    }

    pub(crate) fn apply_health(&mut self) {
        let state = |target: &_| self.states.state(target);
        let snapshot = self.prepared.snapshot(self.revision, &self.sticky_keys, state);
        if let Err(error) = self.proxy.apply(snapshot) {
            tracing::error!("cannot apply the health of targets: {error}; please report this");
        }
    }
}

/// Waits for [`Signal::Terminate`]; for ever if nobody can send signals.
pub(crate) async fn terminated(signals: &mut mpsc::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            Some(Signal::Terminate) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Reads and prepares the configuration away from the main loop: files may be slow, and rules many.
async fn read(
    reader: &FileReader,
    reading: &Reading,
    options: &ServiceOptions,
    tickets: &Tickets,
) -> Result<Prepared, ServiceError> {
    let Reading { name: file, load: Some(load), must_serve } = reading.clone() else {
        return Ok(Prepared::default());
    };
    let (access_log, tickets) = (options.access_log.clone(), tickets.clone());
    let job = move || -> Result<Prepared, LoadError> {
        let config = load()?;
        let mut prepared = Prepared::new(&config, access_log.as_ref(), &tickets);
        if must_serve && config.proxied_listeners().next().is_none() {
            let mut parts = prepared.err().unwrap_or_default();
            parts.push(Unservable::Whole(NOTHING.to_owned()));
            prepared = Err(parts);
        }
        Ok(prepared.map_err(|parts| UnservableConfig { file, parts })?)
    };
    Ok(reader.run(job).await??)
}
