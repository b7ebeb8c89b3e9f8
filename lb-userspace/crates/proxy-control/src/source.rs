//! Where the configuration comes from: a file that this process reads, or an agent that also says how its
//! targets are.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use lb_common::target::TargetState;
use lb_config::{Config, ConfigErrors, TargetKey};
use tokio::sync::watch;

/// Reads and checks the configuration, and the files that it names.
pub type Load = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Where the configuration comes from.
#[derive(Clone)]
pub enum Source {
    /// A file. This process checks the targets.
    File {
        /// It, for messages.
        path: PathBuf,
        /// Reads it.
        load: Load,
    },
    /// An agent. It checks the targets.
    Agent {
        /// What it says; `None` until it has said something.
        told: watch::Receiver<Option<Arc<Told>>>,
        /// What the process makes of that.
        served: watch::Sender<Served>,
    },
}

/// What an agent says.
pub struct Told {
    /// Which configuration it is: the same for the same one.
    pub id: ConfigId,
    /// Counts what the agent has said.
    pub version: u64,
    /// Reads the configuration; `None`: there is nothing to serve.
    pub load: Option<Load>,
    /// The states of all targets.
    pub states: HashMap<TargetKey, TargetState>,
}

/// Names a configuration of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigId {
    /// The same for the same configuration.
    pub digest: String,
    /// Its revision, if it has one.
    pub revision: Option<u64>,
    /// What people call it.
    pub name: String,
}

/// What the process makes of what an agent says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The configuration that is served.
    pub id: ConfigId,
    /// The last version that was taken over.
    pub version: u64,
    /// Why the last configuration is not served; empty if it is.
    pub refused: String,
    /// Connections of clients that are open.
    pub connections: u64,
}
