//! `xelb proxy`.

mod follow;
mod kept;
mod observer;

use std::{
    fs,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use clap::{Args, ValueEnum};
use lb_agent::{ProxyReport, config_file, readiness::Readiness};
use lb_config::{self as config, Limits};
use lb_health::Programs;
use lb_log::LogFormat;
use lb_proxy_control::{
    Load, LoadError, LogDestination, LogFile, Monitor, Served, ServiceError, ServiceOptions,
    Source, StopReport, Supervisor,
};
use tokio::sync::watch;

use self::{
    follow::{Follower, farewell, keep, report},
    kept::KeptFile,
    observer::Observer,
};
use super::{Log, Socket};

/// Longest name of a proxy.
const NAME_CHARS_MAX: usize = 64;

/// Warnings about a file that are logged at a time; `xelb validate` shows all.
const WARNINGS_MAX: usize = 20;

/// Serve the HTTP and HTTPS listeners of an agent, or of a configuration file
///
/// The agent says what to serve, and which targets are healthy. What it said last is kept in the
/// state directory: without an agent, the proxy continues, and also starts, with that.
///
/// With --config, it serves the listeners of a file without any agent, and checks the targets
/// itself. It reads the file when it starts, when the file changes and on SIGHUP. A file with errors
/// changes nothing. The host must have the addresses of the listeners (`ip address add VIP/32 dev
/// lo`), or a local route of their prefix (`ip route add local PREFIX dev lo`).
///
/// SIGHUP reads the certificates and opens the access logs again. The proxy runs in the foreground
/// until SIGTERM or SIGINT. Then it accepts no more connections, and waits for requests in
/// progress: see --drain-timeout.
///
/// Example: xelb proxy
///
/// Example: xelb proxy --config shop.yaml --access-log - --access-log-format alb
#[derive(Debug, Args)]
pub(super) struct Proxy {
    /// Configuration file, YAML or JSON, or directory of *.yaml files, in place of an agent
    #[arg(long, value_name = "PATH", conflicts_with_all = ["server", "state_dir", "name"])]
    config: Option<PathBuf>,
    /// Where what the agent said last is kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/xelb-proxy")]
    state_dir: PathBuf,
    /// Name of this proxy in `xelb get proxies` [default: name of the host]
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Threads that serve connections [default: one for each CPU]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Access log, a line for each request, of listeners without `access_log`: a file, or `-` for
    /// the standard output
    #[arg(long, value_name = "FILE|-")]
    access_log: Option<PathBuf>,
    /// Format of this log: `json`, an object per line, or `alb`, the fields of an ELB application
    /// load balancer
    #[arg(long, value_name = "FORMAT", default_value = "json", requires = "access_log")]
    access_log_format: AccessLogFormat,
    /// How long requests in progress may take to end when the proxy stops, such as `30s`. Then their
    /// connections are cut
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    drain_timeout: Duration,
    /// Address and port where Prometheus finds metrics of this proxy: http://ADDRESS:PORT/metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    #[command(flatten)]
    socket: Socket,
    #[command(flatten)]
    log: Log,
}

fn name(text: &str) -> Result<String, String> {
    let visible = text.chars().all(|one| !one.is_control() && !one.is_whitespace());
    if visible && (1..=NAME_CHARS_MAX).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(format!("a name has 1 to {NAME_CHARS_MAX} visible characters"))
    }
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AccessLogFormat {
    Json,
    Alb,
}

impl Proxy {
    pub(super) const fn log_format(&self) -> LogFormat {
        self.log.format
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        // Requests have threads of their own: these are for files, signals, the agent and health checks.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let outcome = runtime.block_on(self.serve());
        // A file system or a name server that does not answer does not delay the end.
        runtime.shutdown_background();
        match outcome {
            Ok(_cut) => Ok(()),
            Err(error) => Err(match error.downcast::<ServiceError>() {
                Ok(ServiceError::Load(LoadError::Config(errors))) => errors.into(),
                Ok(error) => error.into(),
                Err(error) => error,
            }),
        }
    }

    async fn serve(self) -> anyhow::Result<StopReport> {
        let mut supervisor = ServiceManager(Readiness::from_environment());
        let monitor = Monitor::default();
        if let Some(address) = self.metrics {
            serve_metrics(address, monitor.clone())?;
        }
        if let Some(path) = self.config.clone() {
            let source = Source::File { load: load(&path), path };
            return Ok(lb_proxy_control::run(self.options(source, monitor), &mut supervisor).await?);
        }
        let client = self.socket.client()?;
        let me = ProxyReport {
            name: self.name.clone().unwrap_or_else(host_name),
            pid: std::process::id(),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            ..ProxyReport::default()
        };
        let file = KeptFile::in_dir(&self.state_dir)?;
        let (told, told_receiver) = watch::channel(None);
        let (last, last_receiver) = watch::channel(None);
        let (served, served_receiver) = watch::channel(Served::default());
        let follower = Follower {
            client: client.clone(),
            place: client.place(),
            kept: Some(file.clone()),
            told,
            last,
            served: served_receiver.clone(),
            monitor: monitor.clone(),
        };
        tokio::spawn(follower.run());
        tokio::spawn(keep(file, last_receiver, served_receiver.clone()));
        let observer = Observer::new(monitor.clone());
        let reports = tokio::spawn(report(client.clone(), me.clone(), served_receiver, observer));
        let source = Source::Agent { told: told_receiver, served };
        let outcome = lb_proxy_control::run(self.options(source, monitor), &mut supervisor).await;
        reports.abort();
        farewell(client, me).await;
        Ok(outcome?)
    }

    fn options(self, source: Source, monitor: Monitor) -> ServiceOptions {
        let format = match self.access_log_format {
            AccessLogFormat::Json => config::LogFormat::Json,
            AccessLogFormat::Alb => config::LogFormat::Alb,
        };
        let access_log = self.access_log.map(|path| {
            let is_stdout = path.as_os_str() == "-";
            let file = if is_stdout { LogFile::Stdout } else { LogFile::Path(path) };
            LogDestination { file, format }
        });
        let cpus = || thread::available_parallelism().map_or(1, usize::from);
        ServiceOptions {
            source,
            workers: self.workers.map_or_else(cpus, usize::from),
            access_log,
            drain_timeout: self.drain_timeout,
            monitor: Some(monitor),
        }
    }
}

/// Answers scrapes of Prometheus from now on.
fn serve_metrics(address: SocketAddr, monitor: Monitor) -> anyhow::Result<()> {
    let listener = lb_metrics::bind(address)?;
    tokio::spawn(lb_metrics::serve_proxy(listener, monitor));
    tracing::info!("metrics for Prometheus at http://{address}/metrics");
    Ok(())
}

/// Reads a configuration file.
fn load(path: &Path) -> Load {
    let path = path.to_path_buf();
    Arc::new(move || {
        let (_, config, warnings) =
            config_file::load_within(&path, &Limits::OF_PROXY, &Programs::Off)?;
        for warning in warnings.iter().take(WARNINGS_MAX) {
            tracing::warn!("{}: {warning}", path.display());
        }
        Ok(config)
    })
}

/// The name of this host, as far as it is a name.
fn host_name() -> String {
    let found = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name(found.trim()).unwrap_or_else(|_| "proxy".to_owned())
}

/// The service manager of the host.
struct ServiceManager(Readiness);

impl Supervisor for ServiceManager {
    fn report(&mut self, status: &str) {
        self.0.report(true, || status.to_owned());
    }

    fn wake(&self) -> impl Future<Output = ()> {
        self.0.wake()
    }

    fn reloading(&mut self) {
        self.0.reloading();
    }

    fn stopping(&self) {
        self.0.stopping();
    }
}
