//! Health of targets: a pure state machine, probers behind one trait, and a scheduler.

mod descriptors;
pub(crate) mod exec;
mod grpc;
#[cfg(test)]
mod grpc_tests;
mod histogram;
mod http;
mod icmp;
mod machine;
#[cfg(test)]
mod messages_tests;
mod probe;
mod reason;
mod schedule;
mod scheduler;
mod stats;
mod table;
mod tcp;
pub(crate) mod tls;
#[cfg(test)]
mod tls_tests;
mod tunnel;
mod udp;
mod unreachable;
mod wire;

use std::time::Instant;

use lb_common::target::TargetState;

pub use descriptors::{Descriptors, Waits};
pub use exec::{ExecPolicy, ExecUser, ProgramError, Programs};
pub use machine::Machine;
pub use probe::{NetworkProber, NoDescriptor, Outcome, Probe, ProbeFuture, Prober, Way};
pub(crate) use schedule::FIRST_PROBE_WAIT_MAX;
pub use scheduler::Scheduler;
pub use stats::{SchedulerStats, StatsSnapshot};
pub use table::{GroupHealth, HealthTable};
pub use tunnel::{Aim, AimTable, Lead, Ride, TunnelKeeper, TunnelProber, vip_of};

use crate::config::{HealthCheck, TargetKey};

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

/// One target to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSpec {
    /// The target.
    pub target: TargetKey,
    /// How.
    pub check: HealthCheck,
    /// What a former agent knew: the state to start from; `None` starts as `Initial`. Only read
    /// when the check starts, so a change of it does not restart one.
    pub resume: Option<TargetState>,
}

/// A verdict has changed.
#[derive(Clone, Debug)]
pub struct HealthEvent {
    /// The target.
    pub target: TargetKey,
    /// The new verdict.
    pub health: Health,
    /// When the probe that decided it ended.
    pub decided_at: Instant,
}
