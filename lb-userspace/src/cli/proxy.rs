//! `xelb proxy`.

use std::{future::Future, path::PathBuf, sync::Arc, thread, time::Duration};

use clap::{Args, ValueEnum};
use lb_agent::{config_file, readiness::Readiness};
use lb_config::{self as config, Limits};
use lb_health::Programs;
use lb_log::LogFormat;
use lb_proxy_control::{
    Load, LoadError, LogDestination, LogFile, ServiceError, ServiceOptions, Supervisor,
};

use super::Log;

/// Warnings about a file that are logged at a time; `xelb validate` shows all.
const WARNINGS_MAX: usize = 20;

/// Serve the HTTP and HTTPS listeners of a configuration file
///
/// It reads the file when it starts, when the file changes and on SIGHUP. A file with errors changes
/// nothing. SIGHUP also reads the certificates and opens the access logs again. It runs in the
/// foreground until SIGTERM or SIGINT. Then it accepts no more connections, and waits for requests
/// in progress: see --drain-timeout.
///
/// This version and `xelb agent` need two files: listeners of tcp, udp and quic are for the agent.
/// The host must have the addresses of the listeners (`ip address add VIP/32 dev lo`), or a local
/// route of their prefix (`ip route add local PREFIX dev lo`).
///
/// Example: xelb proxy --config /etc/xelb-http.yaml
///
/// Example: xelb proxy --config shop.yaml --access-log - --access-log-format alb
#[derive(Debug, Args)]
pub(super) struct Proxy {
    /// Configuration file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
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
    #[command(flatten)]
    log: Log,
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
        // Requests have threads of their own: these are for files, signals and health checks.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut supervisor = ServiceManager(Readiness::from_environment());
        let outcome = runtime.block_on(lb_proxy_control::run(self.options(), &mut supervisor));
        // A file system or a name server that does not answer does not delay the end.
        runtime.shutdown_background();
        match outcome {
            Ok(_cut) => Ok(()),
            Err(ServiceError::Load(LoadError::Config(errors))) => Err(errors.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn options(self) -> ServiceOptions {
        let path = self.config.clone();
        let load: Load = Arc::new(move || {
            let limits = Limits { exec_checks: false, ..Limits::MOST };
            let (_, config, warnings) = config_file::load_within(&path, &limits, &Programs::Off)?;
            for warning in warnings.iter().take(WARNINGS_MAX) {
                tracing::warn!("{}: {warning}", path.display());
            }
            Ok(config)
        });
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
            file: self.config,
            load,
            workers: self.workers.map_or_else(cpus, usize::from),
            access_log,
            drain_timeout: self.drain_timeout,
        }
    }
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
