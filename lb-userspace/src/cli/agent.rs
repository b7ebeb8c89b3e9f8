//! `xelb agent`.

use std::{future::pending, net::SocketAddr, path::PathBuf};

use clap::Args;
use lb_agent::{self as agent, AcceptedMac, AgentHandle, AgentOptions, Frontend};
use lb_api::ListenerSockets;
use lb_config::Limits;
use lb_dataplane::{MapSizes, StatsSource};
use lb_health::{ExecPolicy, Programs};
use lb_log::LogFormat;
use lb_metrics as metrics;
use tokio::net::TcpListener;

use super::{Attach, Log, access::Access, exec_checks::ExecArguments, limits::LimitArguments};

/// Run the agent: it loads the data path, checks targets and writes the maps
///
/// With --config, the file is the source of truth: it is read at the start, when it changes and on
/// SIGHUP. Without it, the state directory is: `xelb apply` and `xelb target` change it, and a new
/// agent starts from what it holds.
///
/// Runs in the foreground until SIGTERM or SIGINT. The data path goes on when the agent stops, and
/// the next agent takes it over; `xelb detach` removes it.
///
/// Example: xelb agent --config /etc/xelb.yaml
///
/// Example: xelb agent --flow-memory 8000000 --max-targets 2000
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// Configuration file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the desired state is kept without --config [default: /var/lib/xelb]; with --config,
    /// where drains and the seed of the flow hash are kept over a reboot [default: nowhere]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Where the data path is pinned, a folder in a BPF file system; one for each agent
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/xelb")]
    bpffs: PathBuf,
    /// Socket that the agent listens at; one for each agent
    #[arg(long, value_name = "PATH", default_value = "/run/xelb/xelb.sock", env = "XELB_SOCKET")]
    socket: PathBuf,
    /// Answer Prometheus at http://ADDRESS:PORT/metrics, for example 127.0.0.1:9900 or [::1]:9900
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Flows that can be remembered at a time, 16 bytes each, rounded up to a power of two: see
    /// `xelb stats` for how many are
    #[arg(long, value_name = "COUNT", default_value_t = MapSizes::default().flows(),
        value_parser = clap::value_parser!(u32)
            .range(i64::from(MapSizes::FLOWS_MIN)..=i64::from(MapSizes::FLOWS_MAX)))]
    flow_memory: u32,
    /// Flows of modes nat and fullnat at a time, 164 bytes each, rounded up to a power of two
    #[arg(long, value_name = "COUNT", default_value_t = MapSizes::default().bindings(),
        value_parser = clap::value_parser!(u32)
            .range(i64::from(MapSizes::BINDINGS_MIN)..=i64::from(MapSizes::BINDINGS_MAX)))]
    nat_bindings: u32,
    /// Take frames for this MAC address, too, or for `any`; may be given several times. An interface takes
    /// those for its own, and for the macvlan and VLAN interfaces upon it
    #[arg(long = "accept-mac", value_name = "MAC")]
    accepted_macs: Vec<AcceptedMac>,
    /// Seconds after a change of a group until the last flows that it left with their former targets
    /// may move: forged packets cannot put that off
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400,
        value_parser = clap::value_parser!(u32).range(3600..=31_536_000))]
    armed_limit: u32,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    exec: Box<ExecArguments>,
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
        let access = self.access.options(&self.socket)?;
        let exec = ExecPolicy::from(*self.exec);
        let exec_checks = exec.programs != Programs::Off;
        let options = AgentOptions {
            config: self.config,
            state_dir: self.state_dir,
            bpffs: self.bpffs,
            xdp_mode: self.attach.xdp_mode,
            limits: Limits { exec_checks, ..self.limits.into() },
            exec,
            armed_limit: self.armed_limit,
            accepted_macs: self.accepted_macs,
            sizes: MapSizes::for_flows(self.flow_memory, self.nat_bindings),
        };
        // Removes the sockets in the end.
        let mut socket_files = Vec::new();
        let open = || {
            let metrics = self.metrics.map(metrics::bind).transpose()?;
            let (doors, files) = ListenerSockets::open(&self.socket, &access)?;
            socket_files = files;
            Ok(Asked { doors, metrics })
        };
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(agent::run(options, open))
    }
}

/// Where the agent is asked: the one place that ties agent, API and metrics together.
struct Asked {
    doors: ListenerSockets,
    metrics: Option<TcpListener>,
}

impl Frontend for Asked {
    async fn serve(self, agent: AgentHandle, stats: StatsSource) {
        if let Some(listener) = self.metrics {
            tokio::spawn(metrics::serve(listener, agent.clone(), stats.clone()));
        }
        self.doors.serve(agent, stats, pending()).await;
    }
}
