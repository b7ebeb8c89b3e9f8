//! What a probe is. When probes run is the scheduler's affair.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use lb_config::{HealthCheck, HealthProtocol, TargetKey, Via};
use tokio::time::Instant;

use super::{Outcome, tunnel::TunnelProbe};

/// What to probe, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The target group, for programs.
    pub group: String,
    /// Where it goes to.
    pub address: SocketAddr,
    /// How it reaches the target.
    pub via: ProbeVia,
    /// What it does.
    pub protocol: HealthProtocol,
    /// How long it may take, from the first packet to the outcome.
    pub timeout: Duration,
}

/// How a probe reaches the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeVia {
    /// That of any connection of this host.
    Address,
    /// That of the data path to this target; [`super::TunnelProber`] finds out what it is.
    Tunnel(TargetKey),
    /// That of the data path.
    TunnelProbe(Arc<TunnelProbe>),
}

impl Probe {
    /// The probe of a target.
    #[must_use]
    pub fn new(target: &TargetKey, check: &HealthCheck) -> Self {
        Self {
            group: target.group.to_string(),
            address: SocketAddr::new(target.address, check.port.unwrap_or(target.port)),
            via: match check.via {
                Via::Address => ProbeVia::Address,
                Via::Tunnel => ProbeVia::Tunnel(target.clone()),
            },
            protocol: check.protocol.clone(),
            timeout: check.timeout,
        }
    }
}

/// A probe in progress. Dropping it closes its socket at once.
pub type ProbeFuture<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Makes probes.
pub trait Prober: Send + Sync + 'static {
    /// Probes once. A prober says itself what it was waiting for when `deadline` came; one that
    /// does not is cut off by the scheduler.
    fn probe<'a>(&'a self, probe: &'a Probe, deadline: Instant) -> ProbeFuture<'a>;
}
