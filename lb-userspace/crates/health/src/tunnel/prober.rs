//! The prober in front of the others: chooses the path of a probe.

use std::{net::SocketAddr, sync::Arc};

use lb_config::TargetKey;
use lb_plan::Reason;
use tokio::time::Instant;

use super::{
    TunnelSetup,
    probe_in_flight::ProbeInFlight,
    probe_path::{ProbePath, ProbeRoute},
    shared::Shared,
    source_address,
    tunnel_probe::TunnelProbe,
};
use crate::{Outcome, Probe, ProbeFuture, ProbeVia, Prober};

/// Lets another prober probe, through the tunnel where the check says so.
pub struct TunnelProber {
    inner: Arc<dyn Prober>,
    shared: Arc<Shared>,
}

impl TunnelProber {
    /// In front of `inner`, with the tunnel of the setup.
    #[must_use]
    pub fn new(inner: Arc<dyn Prober>, setup: &TunnelSetup) -> Self {
        Self { inner, shared: Arc::clone(setup.shared()) }
    }

    async fn through(&self, probe: &Probe, target: &TargetKey, deadline: Instant) -> Outcome {
        let outcome = match self.tunnel_probe(target) {
            Ok(tunnel_probe) => {
                let tunnel_probe = Arc::new(tunnel_probe);
                let via = ProbeVia::TunnelProbe(Arc::clone(&tunnel_probe));
                let probe = Probe { address: tunnel_probe.vip(), via, ..probe.clone() };
                tunnel_probe.judge(self.inner.probe(&probe, deadline).await)
            }
            Err(outcome) => outcome,
        };
        self.shared.note(target, &outcome);
        outcome
    }

    /// The present path to a target.
    fn tunnel_probe(&self, target: &TargetKey) -> Result<TunnelProbe, Outcome> {
        let inconclusive = |detail| Outcome::Inconclusive { detail };
        let table = self.shared.table();
        let Some(ProbePath { vip, route }) = table.probe_paths.get(target) else {
            return Err(inconclusive("the agent has no plan for this target yet".to_owned()));
        };
        let entry = match route {
            ProbeRoute::Entry(entry) => entry,
            ProbeRoute::Pending(why) => return Err(inconclusive(why.clone())),
            ProbeRoute::Nowhere(why) => {
                let reason = Reason::IpUnusable;
                return Err(Outcome::Failure { reason, detail: why.clone() });
            }
        };
        if let Some(fault) = self.shared.fault() {
            return Err(inconclusive(fault));
        }
        if source_address::is_local(vip.ip()) {
            return Err(inconclusive(format!(
                "the VIP {} is an address of this host, so its packets never leave: remove the \
                 address, or use `via: address`",
                vip.ip()
            )));
        }
        let source = source_address::of_probe(vip.ip(), target.address, entry.interface);
        let source = SocketAddr::new(source.map_err(inconclusive)?, 0);
        let in_flight = ProbeInFlight::new(*vip, **entry, table.hash_seed);
        Ok(TunnelProbe::new(Arc::clone(&self.shared), in_flight, source))
    }
}

impl Prober for TunnelProber {
    fn probe<'a>(&'a self, probe: &'a Probe, deadline: Instant) -> ProbeFuture<'a> {
        match &probe.via {
            ProbeVia::Tunnel(target) => Box::pin(self.through(probe, target, deadline)),
            ProbeVia::Address | ProbeVia::TunnelProbe(_) => self.inner.probe(probe, deadline),
        }
    }
}

#[cfg(test)]
mod tests;
