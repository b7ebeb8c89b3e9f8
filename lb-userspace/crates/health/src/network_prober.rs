//! The prober of every protocol: which kind of probe a check asks for.

use std::sync::Arc;

use lb_config::HealthProtocol;
use tokio::time::Instant;

use super::{
    Probe, ProbeFuture, Prober,
    exec::{self, ExecPolicy},
    grpc, http, icmp, tcp, udp,
    unreachable::Unreachables,
};

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
