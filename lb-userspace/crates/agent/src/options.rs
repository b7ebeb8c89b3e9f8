//! How an agent is started.

use std::path::PathBuf;

use lb_config::Limits;
use lb_dataplane::{MapSizes, XdpMode};
use lb_health::{ExecPolicy, ExecUser};
use lb_scaling::DriverContext;

use super::{AcceptedMac, config_file};

/// Where the desired state is kept unless the command line names another place.
pub const STATE_DIR: &str = "/var/lib/xelb";

/// What the command line says.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// The configuration file, when it is the source of truth.
    pub config: Option<PathBuf>,
    /// Where the desired state is kept otherwise; [`STATE_DIR`] unless named. With a configuration
    /// file, where drains and the seed are kept over a reboot; nowhere unless named.
    pub state_dir: Option<PathBuf>,
    /// Where maps and links are pinned.
    pub bpffs: PathBuf,
    /// How the program is attached.
    pub xdp_mode: XdpMode,
    /// How much a configuration may have.
    pub limits: Limits,
    /// What health checks may run.
    pub exec: ExecPolicy,
    /// Who runs the programs of drivers and hooks.
    pub driver_user: ExecUser,
    /// MAC addresses whose frames are accepted in addition to the interfaces' own.
    pub accepted_macs: Vec<AcceptedMac>,
    /// Seconds that a slot stays armed after it has changed, at most.
    pub armed_limit: u32,
    /// How large the maps are whose size can be chosen.
    pub sizes: MapSizes,
}

impl AgentOptions {
    /// What drivers and hooks may use on this host.
    pub(super) fn driver_context(&self) -> DriverContext {
        DriverContext {
            programs: self.exec.programs.clone(),
            user: self.driver_user.clone(),
            state_dir: self.state_dir.clone().unwrap_or_else(|| STATE_DIR.into()),
            read_secret: config_file::webhook_secret,
        }
    }
}
