//! The prober in front of the others: finds out which way a probe goes.

use std::{net::SocketAddr, sync::Arc};

use tokio::time::Instant;

use super::{
    TunnelKeeper,
    aim::{Aim, Lead},
    ride::{Passenger, Ride},
    shared::Shared,
    source,
};
use crate::{
    config::TargetKey,
    health::{Outcome, Probe, ProbeFuture, Prober, Reason, Way},
};

/// Lets another prober probe, through the tunnel where the check says so.
pub struct TunnelProber {
    inner: Arc<dyn Prober>,
    shared: Arc<Shared>,
}

impl TunnelProber {
    /// In front of `inner`, on the way that the keeper keeps open.
    #[must_use]
    pub fn new(inner: Arc<dyn Prober>, keeper: &TunnelKeeper) -> Self {
        Self { inner, shared: Arc::clone(keeper.shared()) }
    }

    async fn through(&self, probe: &Probe, target: &TargetKey, deadline: Instant) -> Outcome {
        let outcome = match self.ride(target) {
            Ok(ride) => {
                let ride = Arc::new(ride);
                let way = Way::Ride(Arc::clone(&ride));
                let probe = Probe { address: ride.vip(), way, ..probe.clone() };
                ride.judge(self.inner.probe(&probe, deadline).await)
            }
            Err(outcome) => outcome,
        };
        self.shared.note(target, &outcome);
        outcome
    }

    /// The way to a target as it is now.
    fn ride(&self, target: &TargetKey) -> Result<Ride, Outcome> {
        let inconclusive = |detail| Outcome::Inconclusive { detail };
        let table = self.shared.table();
        let Some(Aim { vip, lead }) = table.aims.get(target) else {
            return Err(inconclusive("the agent has not planned for this target yet".to_owned()));
        };
        let entry = match lead {
            Lead::Entry(entry) => entry,
            Lead::Pending(why) => return Err(inconclusive(why.clone())),
            Lead::Nowhere(why) => {
                let reason = Reason::IpUnusable;
                return Err(Outcome::Failure { reason, detail: why.clone() });
            }
        };
        if let Some(fault) = self.shared.fault() {
            return Err(inconclusive(fault));
        }
        if source::is_local(vip.ip()) {
            return Err(inconclusive(format!(
                "the VIP {} is an address of this host, so that its packets never leave: remove the \
                 address, or use `via: address`",
                vip.ip()
            )));
        }
        let source = source::of_probe(vip.ip(), target.address, entry.interface);
        let source = SocketAddr::new(source.map_err(inconclusive)?, 0);
        let passenger = Passenger::new(*vip, **entry, table.hash_seed);
        Ok(Ride::new(Arc::clone(&self.shared), passenger, source))
    }
}

impl Prober for TunnelProber {
    fn probe<'a>(&'a self, probe: &'a Probe, deadline: Instant) -> ProbeFuture<'a> {
        match &probe.way {
            Way::Tunnel(target) => Box::pin(self.through(probe, target, deadline)),
            Way::Address | Way::Ride(_) => self.inner.probe(probe, deadline),
        }
    }
}

#[cfg(test)]
mod tests;
