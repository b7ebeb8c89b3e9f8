//! PURE: what is kept of a scaled group. A new agent knows nothing else.

use lb_config::{Driver, Hook};
use lb_members::{Ledger, MemberSettings};
use lb_scale::{Limits, Memory, Suspensions};
use serde::{Deserialize, Serialize};

use crate::history::History;

/// By what members are started and ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Means {
    /// The driver.
    pub driver: Driver,
    /// What runs before a member takes traffic.
    #[serde(default)]
    pub launch_hook: Option<Hook>,
    /// What runs before a member is ended.
    #[serde(default)]
    pub terminate_hook: Option<Hook>,
}

/// The state of a scaled group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Its members, and what is intended with them.
    pub ledger: Ledger,
    /// How its members come and go: a group that has left the configuration ends them.
    pub settings: MemberSettings,
    /// By what.
    pub means: Means,
    /// Its desired capacity.
    pub desired: u32,
    /// Its limits now: those of the configuration, or of the schedule that was last due.
    pub limits: Limits,
    /// The limits that the configuration had then: other ones replace those of a schedule.
    pub configured: Limits,
    /// Its suspended processes.
    #[serde(default)]
    pub suspended: Suspensions,
    /// What decisions remember.
    #[serde(default)]
    pub memory: Memory,
    /// What happened.
    #[serde(default)]
    pub history: History,
}
