//! How an agent is started.

use std::{net::SocketAddr, path::PathBuf};

use crate::dataplane::XdpMode;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// The configuration file, when it is the source of truth.
    pub config: Option<PathBuf>,
    /// Where the desired state is kept otherwise.
    pub state_dir: PathBuf,
    /// Where maps and links are pinned.
    pub bpffs: PathBuf,
    /// The socket of the API.
    pub socket: PathBuf,
    /// Where metrics are scraped, if at all.
    pub metrics: Option<SocketAddr>,
    /// How the program is attached.
    pub xdp_mode: XdpMode,
}
