//! PURE: how members come and go. How many there should be is in `lb_scale::Settings`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the members of a group come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemberSettings {
    /// The name of the group; names of members begin with it.
    pub group: String,
    /// The digest of the template of new members.
    pub template: String,
    /// What runs before a new member takes traffic.
    pub launch_hook: Option<Hook>,
    /// What runs before a drained member is ended.
    pub terminate_hook: Option<Hook>,
    /// The most members that are replaced at once, in percent of the desired capacity; at least one.
    /// It is the one of `lb_scale::Replacement`, and holds whatever a decision names.
    pub max_at_once_percent: u32,
    /// Which members end first; the next one decides where one sees no difference.
    pub termination: Vec<TerminationPolicy>,
    /// Members that are kept ready.
    pub warm_pool: Option<WarmPool>,
    /// How long a driver call may take.
    pub call_deadline: Duration,
    /// The most calls at a time.
    pub calls_max: usize,
    /// How often a member that boots is asked for.
    pub poll_interval: Duration,
    /// How often members are listed.
    pub list_interval: Duration,
    /// The least time between the two readings that an absence is believed from.
    pub confirm_interval: Duration,
    /// How long a member may take until it runs.
    pub launch_timeout: Duration,
    /// How long a member that runs may take until its first health check passes.
    pub first_healthy_timeout: Duration,
    /// How long a member may drain.
    pub drain_timeout: Duration,
}

impl Default for MemberSettings {
    fn default() -> Self {
        Self {
            group: String::new(),
            template: String::new(),
            launch_hook: None,
            terminate_hook: None,
            max_at_once_percent: 10,
            termination: vec![TerminationPolicy::LeastFlows, TerminationPolicy::Newest],
            warm_pool: None,
            call_deadline: Duration::from_secs(30),
            calls_max: 16,
            poll_interval: Duration::from_secs(5),
            list_interval: Duration::from_mins(1),
            confirm_interval: Duration::from_secs(10),
            launch_timeout: Duration::from_mins(15),
            first_healthy_timeout: Duration::from_mins(5),
            // The deregistration delay of ELB target groups.
            drain_timeout: Duration::from_mins(5),
        }
    }
}

/// A lifecycle hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// How long it may take without a heartbeat.
    #[serde(default = "hook_timeout")]
    pub timeout: Duration,
    /// Its result if it does not come in time.
    #[serde(default)]
    pub default: HookResult,
}

/// `HeartbeatTimeout` of EC2 Auto Scaling.
const fn hook_timeout() -> Duration {
    Duration::from_hours(1)
}

/// How a hook ended; the names are those of EC2 Auto Scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookResult {
    /// Go on.
    Continue,
    /// A member that launches is ended. A member that terminates is ended in any case.
    #[default]
    Abandon,
}

/// Which of two members ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminationPolicy {
    /// The one with fewer flows. Unknown numbers count as many.
    LeastFlows,
    /// The one that was launched last.
    Newest,
    /// The one that was launched first.
    Oldest,
    /// The one of another template than that of new members.
    OldTemplate,
}

/// Members that are launched before they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmPool {
    /// How many.
    pub size: u32,
    /// What they are kept as.
    #[serde(default)]
    pub state: WarmState,
}

/// What members of a warm pool are kept as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarmState {
    /// They are stopped, and started when they are needed.
    #[default]
    Stopped,
    /// They run, without traffic.
    Running,
}

/// How an instance refresh proceeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshOptions {
    /// The least healthy members in service, in percent of the desired capacity. With 100, new
    /// members are launched before old ones end.
    pub min_healthy_percent: u32,
    /// The most members that are exchanged at once, in percent of the desired capacity.
    pub max_at_once_percent: u32,
    /// Shares of new members at which it pauses, in percent, ascending.
    pub checkpoints: Vec<u32>,
    /// How long it pauses there.
    pub checkpoint_wait: Duration,
    /// Whether it goes back to the old template when new members fail repeatedly.
    pub rollback: bool,
}

impl Default for RefreshOptions {
    fn default() -> Self {
        Self {
            min_healthy_percent: 90,
            max_at_once_percent: 10,
            checkpoints: Vec::new(),
            checkpoint_wait: Duration::from_hours(1),
            rollback: true,
        }
    }
}

/// So many percent of a capacity, rounded down, and at least one.
#[must_use]
pub(crate) fn share(capacity: u32, percent: u32) -> u32 {
    let share = u64::from(capacity) * u64::from(percent) / 100;
    u32::try_from(share).unwrap_or(u32::MAX).max(1)
}
