//! What a probe is and what it can end with. When probes run is the scheduler's affair, what their
//! outcomes mean the machine's.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use lb_config::{HealthCheck, HealthProtocol, TargetKey, Via};
use tokio::time::Instant;

use super::{
    Reason,
    exec::{self, ExecPolicy},
    grpc, http, icmp, tcp,
    tunnel::TunnelProbe,
    udp,
    unreachable::Unreachables,
};

/// What a probe ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target did what was asked.
    Success,
    /// It did not.
    Failure {
        /// Why, in ELB's words.
        reason: Reason,
        /// What was seen, for people; never empty.
        detail: String,
    },
    /// The probe could not be made, for a reason that lies with this host (no file descriptors, no
    /// local ports, a local firewall) and says nothing about the target. It counts for nothing:
    /// an agent in need must not declare all its targets dead.
    Inconclusive {
        /// What is wrong here, for people.
        detail: String,
    },
    /// There was no file descriptor for it. It is made again as soon as there is one, and has not been
    /// made yet.
    NoDescriptor(NoDescriptor),
}

/// Who has no file descriptor left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDescriptor {
    /// This process (EMFILE).
    Process,
    /// The whole host (ENFILE).
    Host,
}

impl NoDescriptor {
    /// What an error says of descriptors.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error() {
            Some(libc::EMFILE) => Some(Self::Process),
            Some(libc::ENFILE) => Some(Self::Host),
            _ => None,
        }
    }
}

impl Outcome {
    /// Something that a probe needs could not be opened on this host.
    pub(super) fn unopened(what: &str, error: &io::Error) -> Self {
        match NoDescriptor::of(error) {
            Some(who) => Self::NoDescriptor(who),
            None => Self::Inconclusive { detail: format!("{what}: {error}") },
        }
    }

    /// A failure with [`Reason::FailedHealthChecks`].
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::Failure { reason: Reason::FailedHealthChecks, detail: detail.into() }
    }

    /// A failure with [`Reason::Timeout`].
    pub(super) fn timeout(detail: impl Into<String>) -> Self {
        Self::Failure { reason: Reason::Timeout, detail: detail.into() }
    }
}

/// What to probe, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The target group, for programs.
    pub group: String,
    /// Where it goes to.
    pub address: SocketAddr,
    /// The way it takes.
    pub way: Way,
    /// What it does.
    pub protocol: HealthProtocol,
    /// How long it may take, from the first packet to the outcome.
    pub timeout: Duration,
}

/// The way that a probe takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
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
            way: match check.via {
                Via::Address => Way::Address,
                Via::Tunnel => Way::Tunnel(target.clone()),
            },
            protocol: check.protocol.clone(),
            timeout: check.timeout,
        }
    }
}

/// A probe under way. Dropping it closes its socket at once.
pub type ProbeFuture<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Makes probes.
pub trait Prober: Send + Sync + 'static {
    /// Probes once. A prober says itself what it was waiting for when `deadline` came; one that
    /// does not is cut off by the scheduler.
    fn probe<'a>(&'a self, probe: &'a Probe, deadline: Instant) -> ProbeFuture<'a>;
}

/// Probes over the network, as [`HealthProtocol`] says.
#[derive(Debug, Default)]
pub struct NetworkProber {
    unreachables: Unreachables,
    exec: Arc<ExecPolicy>,
}

impl NetworkProber {
    /// One whose checks may run these programs; by default they may run none.
    #[must_use]
    pub fn new(exec: ExecPolicy) -> Self {
        Self { unreachables: Unreachables::default(), exec: Arc::new(exec) }
    }
}

impl Prober for NetworkProber {
    fn probe<'a>(&'a self, probe: &'a Probe, deadline: Instant) -> ProbeFuture<'a> {
        match &probe.protocol {
            HealthProtocol::Tcp => Box::pin(tcp::probe(probe, deadline)),
            HealthProtocol::Http(check) => Box::pin(http::probe(probe, check, deadline)),
            HealthProtocol::Grpc(check) => Box::pin(grpc::probe(probe, check, deadline)),
            HealthProtocol::Udp(check) => {
                Box::pin(udp::probe(probe, check, &self.unreachables, deadline))
            }
            HealthProtocol::Icmp => Box::pin(icmp::probe(probe, deadline)),
            HealthProtocol::Exec(check) => {
                Box::pin(exec::probe(probe, check, &self.exec, deadline))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_a_descriptor_is_made_again() {
        let of = |errno| Outcome::unopened("cannot open", &io::Error::from_raw_os_error(errno));
        assert_eq!(of(libc::EMFILE), Outcome::NoDescriptor(NoDescriptor::Process));
        assert_eq!(of(libc::ENFILE), Outcome::NoDescriptor(NoDescriptor::Host));
        let detail = "cannot open: Cannot allocate memory (os error 12)".to_owned();
        assert_eq!(of(libc::ENOMEM), Outcome::Inconclusive { detail });
    }
}
