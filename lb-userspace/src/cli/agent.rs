//! `xelb agent`.

use std::{
    future::pending,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use lb_agent::{self as agent, AcceptedMac, AgentHandle, AgentOptions, Frontend, config_file};
use lb_api::ListenerSockets;
use lb_config::{Limits, alike};
use lb_dataplane::{MapSizes, StatsSource};
use lb_health::{ExecPolicy, ExecUser, Programs};
use lb_log::LogFormat;
use lb_metrics as metrics;
use tokio::net::TcpListener;

use super::{
    Attach, Log,
    access::Access,
    doctor,
    exec_checks::{self, ExecArguments},
    limits::LimitArguments,
    output, validate,
};

/// Run the agent, which loads the data path, checks targets and writes the maps
///
/// With --config, the agent takes its configuration from the file, or from the *.yaml files of the
/// directory. It reads them when it starts, when one of them changes and on SIGHUP. Without --config, the configuration is in the state
/// directory: `xelb apply` and `xelb target` change it, and the next agent starts with it.
///
/// The agent runs in the foreground until SIGTERM or SIGINT. The data path continues to forward
/// when the agent stops, and the next agent takes it over. `xelb detach` removes it.
///
/// Example: xelb agent --config /etc/xelb.yaml
///
/// Example: xelb agent --config /etc/xelb/conf.d
///
/// Example: xelb agent --flow-memory 8000000 --max-targets 2000
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// Configuration file, YAML or JSON, or a directory: its *.yaml files are one configuration
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Only check the configuration and the files that it names, with these options, and exit:
    /// with 2 if there are errors. `systemctl reload` does that before it reloads
    #[arg(long, requires = "config")]
    check: bool,
    /// State directory. Without --config, it keeps the desired state [default: /var/lib/xelb]. With
    /// --config, it keeps drains and the seed of the flow hash across reboots [default: none]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Folder in a BPF file system where the data path is pinned; each agent needs its own
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/xelb")]
    bpffs: PathBuf,
    /// Socket that the agent listens at; each agent needs its own
    #[arg(long, value_name = "PATH", default_value = "/run/xelb/xelb.sock", env = "XELB_SOCKET")]
    socket: PathBuf,
    /// Serve metrics for Prometheus at http://ADDRESS:PORT/metrics, for example 127.0.0.1:9900 or
    /// [::1]:9900
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Maximum number of remembered flows, 16 bytes each, rounded up to a power of two; `xelb
    /// stats` shows how many are in use
    #[arg(long, value_name = "COUNT", default_value_t = MapSizes::default().flows(),
        value_parser = clap::value_parser!(u32)
            .range(i64::from(MapSizes::FLOWS_MIN)..=i64::from(MapSizes::FLOWS_MAX)))]
    flow_memory: u32,
    /// Maximum number of flows of modes nat and fullnat, 164 bytes each, rounded up to a power of
    /// two
    #[arg(long, value_name = "COUNT", default_value_t = MapSizes::default().bindings(),
        value_parser = clap::value_parser!(u32)
            .range(i64::from(MapSizes::BINDINGS_MIN)..=i64::from(MapSizes::BINDINGS_MAX)))]
    nat_bindings: u32,
    /// Also accept frames for this MAC address, or for `any`; may be given several times. An
    /// interface always accepts frames for its own address, and for those of its macvlan and VLAN
    /// interfaces
    #[arg(long = "accept-mac", value_name = "MAC")]
    accepted_macs: Vec<AcceptedMac>,
    /// Maximum time in seconds that slots stay armed after a change of a group. Then their flows
    /// may move to the current owners, even if forged packets keep them active
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400,
        value_parser = clap::value_parser!(u32).range(3600..=31_536_000))]
    armed_limit: u32,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    exec: Box<ExecArguments>,
    /// User (name or number) that hooks on events, and drivers and hooks of scaled groups, run as,
    /// without capabilities unless it is root; their programs are in the directory of --exec-checks
    #[arg(long, value_name = "USER", default_value = "nobody", value_parser = exec_checks::user)]
    driver_user: ExecUser,
    #[command(flatten)]
    attach: Attach,
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    access: Access,
}

impl Agent {
    pub(super) const fn log_format(&self) -> LogFormat {
        self.log.format
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        let exec = ExecPolicy::from(*self.exec);
        let exec_checks = exec.programs != Programs::Off;
        let limits = Limits { exec_checks, ..self.limits.into() };
        if let Some(path) = self.config.as_deref().filter(|_| self.check) {
            return check(path, &limits, &exec.programs);
        }
        let access = self.access.options(&self.socket)?;
        let options = AgentOptions {
            config: self.config,
            state_dir: self.state_dir,
            bpffs: self.bpffs,
            xdp_mode: self.attach.xdp_mode,
            limits,
            exec,
            driver_user: self.driver_user,
            armed_limit: self.armed_limit,
            accepted_macs: self.accepted_macs,
            sizes: MapSizes::for_flows(self.flow_memory, self.nat_bindings),
        };
        // Removes the sockets in the end.
        let mut socket_files = Vec::new();
        let open = || {
            let metrics = self.metrics.map(metrics::bind).transpose()?;
            let (sockets, files) = ListenerSockets::open(&self.socket, &access)?;
            let sockets = sockets.with_doctor(doctor::host_doctor(&self.socket));
            socket_files = files;
            tracing::info!("the API listens at {}", self.socket.display());
            if let Some(address) = self.metrics {
                tracing::info!("metrics for Prometheus at http://{address}/metrics");
            }
            Ok(ApiAndMetrics { sockets, metrics })
        };
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(agent::run(options, open))
    }
}

/// Checks a configuration as the agent would read it.
fn check(path: &Path, limits: &Limits, programs: &Programs) -> anyhow::Result<()> {
    let (_, _, warnings) = config_file::load_within(path, limits, programs)?;
    for (warning, more) in alike(&warnings) {
        output::print_error(&validate::warned(&path.display().to_string(), warning, more));
    }
    output::print(&format!("{} is valid\n", path.display()))
}

/// The frontend of the agent: the one place that connects agent, API and metrics.
struct ApiAndMetrics {
    sockets: ListenerSockets,
    metrics: Option<TcpListener>,
}

impl Frontend for ApiAndMetrics {
    async fn serve(self, agent: AgentHandle, stats: StatsSource) {
        if let Some(listener) = self.metrics {
            tokio::spawn(metrics::serve(listener, agent.clone(), stats.clone()));
        }
        self.sockets.serve(agent, stats, pending()).await;
    }
}
