//! Health of targets, an input of the plan. How it is found out is not decided here.

mod reason;
mod table;

use lb_common::target::TargetState;

pub use table::{GroupHealth, HealthTable};

/// Why a target is in its state, in ELB's words; serialised as `Display` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `Elb.InitialHealthChecking`
    InitialHealthChecking,
    /// `Target.ResponseCodeMismatch`
    ResponseCodeMismatch,
    /// `Target.Timeout`
    Timeout,
    /// `Target.FailedHealthChecks`
    FailedHealthChecks,
    /// `Target.NotInUse`
    NotInUse,
    /// `Target.DeregistrationInProgress`
    DeregistrationInProgress,
    /// `Target.IpUnusable`: no route or no neighbour
    IpUnusable,
    /// `Elb.InternalError`: this host cannot check it
    InternalError,
}

/// Verdict of the health checks on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `Initial`, `Healthy` or `Unhealthy`; the other states are the plan's to give.
    pub state: TargetState,
    /// Why; `None` when healthy, unless this host can no longer check it.
    pub reason: Option<Reason>,
    /// What the last probe saw, for people; empty when `reason` is `None`.
    pub detail: String,
}

impl Health {
    /// The reason to show: healthy has none against it, also when this host cannot check it any more.
    #[must_use]
    pub fn shown_reason(&self) -> Option<Reason> {
        self.reason.filter(|_| self.state != TargetState::Healthy)
    }
}
