//! Health of targets: a pure state machine, probers behind one trait, and a scheduler.

mod certificate_expiry;
mod descriptors;
pub mod exec;
mod grpc;
#[cfg(test)]
mod grpc_tests;
mod histogram;
mod http;
mod icmp;
mod machine;
#[cfg(test)]
mod messages_tests;
mod network_prober;
mod outcome;
mod probe;
mod recent;
mod schedule;
mod scheduler;
mod stats;
mod tcp;
pub mod tls;
#[cfg(test)]
mod tls_tests;
mod tunnel;
mod udp;
mod unreachable;
mod wire;

use std::time::Instant;

use lb_common::target::TargetState;
use lb_plan::{Health, Reason};

pub use certificate_expiry::{Expiry, certificate_end, expiry};
pub use descriptors::{Descriptors, Waits};
pub use exec::{ExecPolicy, ExecUser, ProgramError, Programs};
use lb_config::{HealthCheck, TargetKey};
pub use machine::Machine;
pub use network_prober::NetworkProber;
pub use outcome::{NoDescriptor, Outcome, Report};
pub use probe::{Probe, ProbeFuture, ProbeVia, Prober};
pub use recent::EndedProbe;
pub use schedule::FIRST_PROBE_WAIT_MAX;
pub use scheduler::Scheduler;
pub use stats::{SchedulerStats, StatsSnapshot};
pub use tunnel::{
    ProbePath, ProbePaths, ProbeRoute, TunnelProbe, TunnelProber, TunnelSetup, vip_of,
};

/// One target to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSpec {
    /// The target.
    pub target: TargetKey,
    /// How.
    pub check: HealthCheck,
    /// The state of a previous agent to start with; `None` starts as `Initial`. Only read when the
    /// check starts, so a change of it does not restart one.
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
