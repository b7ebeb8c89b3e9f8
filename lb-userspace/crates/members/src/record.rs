//! PURE: what is stored of one member. How it changes is not decided here.

use std::{fmt, net::SocketAddr, time::Duration};

use lb_scale::{Lifecycle, Moment};
use serde::{Deserialize, Serialize};

/// What is done for a member at the moment. Each phase belongs to one lifecycle state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `ensure` is called until it runs.
    Launching,
    /// Its launch hook runs.
    LaunchHook,
    /// It is registered as a target, and its first health check has not passed.
    FirstHealthy,
    /// It takes traffic.
    InService,
    /// People took it out of service.
    Standby,
    /// It gets no new flows.
    Draining,
    /// Its terminate hook runs.
    TerminateHook,
    /// `end` is called until two readings of `list` do not have it.
    Ending,
    /// The same, since it could not be launched.
    Failed,
    /// It is launched for the warm pool.
    WarmLaunching,
    /// It is being stopped for the warm pool.
    WarmStopping,
    /// It waits in the warm pool.
    Warm,
}

impl Phase {
    /// The state for people and for the decision; `None` in the warm pool, which is no capacity.
    #[must_use]
    pub const fn lifecycle(self) -> Option<Lifecycle> {
        Some(match self {
            Self::Launching | Self::FirstHealthy => Lifecycle::Pending,
            Self::LaunchHook => Lifecycle::PendingWait,
            Self::InService => Lifecycle::InService,
            Self::Standby => Lifecycle::Standby,
            Self::Draining | Self::TerminateHook => Lifecycle::TerminatingWait,
            Self::Ending => Lifecycle::Terminating,
            Self::Failed => Lifecycle::Failed,
            Self::WarmLaunching | Self::WarmStopping | Self::Warm => return None,
        })
    }

    /// Whether it takes traffic or soon will.
    #[must_use]
    pub const fn is_capacity(self) -> bool {
        matches!(self, Self::Launching | Self::LaunchHook | Self::FirstHealthy | Self::InService)
    }

    /// Whether it belongs to the warm pool.
    #[must_use]
    pub const fn is_warm(self) -> bool {
        matches!(self, Self::WarmLaunching | Self::WarmStopping | Self::Warm)
    }

    /// Whether `end` is called for it.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::Ending | Self::Failed)
    }

    /// Whether it is a target of the data path, with or without new flows.
    #[must_use]
    pub const fn is_registered(self) -> bool {
        matches!(self, Self::FirstHealthy | Self::InService | Self::Standby | Self::Draining)
    }
}

/// Why a member ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Fewer are desired.
    ScaleIn,
    /// Its health checks fail.
    Unhealthy,
    /// Its launch failed.
    LaunchFailed,
    /// An instance refresh replaces it.
    Refresh,
    /// The driver does not have it any more.
    Lost,
    /// It was created after it had been ended.
    Straggler,
    /// The warm pool is too large.
    WarmPool,
    /// People asked for it.
    Command,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ScaleIn => "fewer members are desired",
            Self::Unhealthy => "its health checks fail",
            Self::LaunchFailed => "its launch failed",
            Self::Refresh => "an instance refresh replaces it",
            Self::Lost => "the driver does not list it any more",
            Self::Straggler => "it was created after it had been ended",
            Self::WarmPool => "the warm pool is too large",
            Self::Command => "a command ended it",
        })
    }
}

/// Whether the driver has a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// No call that creates it was ever made.
    #[default]
    Never,
    /// Such a call was made, and the driver has not reported it.
    Possible,
    /// The driver has reported it.
    Exists,
    /// The driver has it, stopped: `start` comes before `ensure`.
    Stopped,
}

impl Presence {
    /// Whether the driver has reported it.
    #[must_use]
    pub const fn is_certain(self) -> bool {
        matches!(self, Self::Exists | Self::Stopped)
    }
}

/// When something is due again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// From when the time counts.
    pub since: Moment,
    /// How long to wait.
    pub wait: Duration,
}

impl Retry {
    /// Whether the time is over.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        now.since(&self.since) >= self.wait
    }
}

/// What is stored of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What is done for it.
    pub phase: Phase,
    /// Since when.
    pub since: Moment,
    /// When its launch began; from when the driver reports it, since then.
    pub launched: Moment,
    /// The digest of its template.
    pub template: String,
    /// Its address, once known.
    #[serde(default)]
    pub address: Option<SocketAddr>,
    /// Whether people protect it from scale-in and replacement.
    #[serde(default)]
    pub protected: bool,
    /// Whether the driver has it.
    #[serde(default)]
    pub presence: Presence,
    /// Whether the driver has confirmed `end`.
    #[serde(default)]
    pub end_confirmed: bool,
    /// Why it ends, and since when.
    #[serde(default)]
    pub ends: Option<(Cause, Moment)>,
    /// Failed calls in a row.
    #[serde(default)]
    pub failures: u32,
    /// When its next call is due; at once if not set.
    #[serde(default)]
    pub retry: Option<Retry>,
}

impl Record {
    /// A member whose launch begins.
    #[must_use]
    pub fn new(phase: Phase, template: String, now: Moment) -> Self {
        Self {
            phase,
            since: now,
            launched: now,
            template,
            address: None,
            protected: false,
            presence: Presence::Never,
            end_confirmed: false,
            ends: None,
            failures: 0,
            retry: None,
        }
    }

    /// Whether its next call is due.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        self.retry.is_none_or(|retry| retry.is_due(now))
    }

    /// Why it ends.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.ends.map(|(cause, _)| cause)
    }
}
