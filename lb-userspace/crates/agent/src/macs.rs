//! Keeps the data path told which frames are for this host: those for the MAC addresses of its interfaces,
//! and of what lies upon them, as the kernel has them now.

use std::{collections::BTreeSet, time::Duration};

use lb_common::Mac;
use lb_netlink::{MacWatch, Macs, ResolverError};

use super::{AcceptedMac, balancer::Balancer};

/// How long a burst of events is gathered.
const BURST: Duration = Duration::from_millis(5);
/// After a failure, until the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the MAC addresses of interfaces.
#[derive(Debug)]
pub(super) struct MacFollower {
    watch: MacWatch,
    accepted: Vec<AcceptedMac>,
    /// What the kernel said last; nothing before the first answer.
    known: Option<Macs>,
    /// Whether it has to be asked.
    stale: bool,
}

impl MacFollower {
    pub(super) fn start(accepted: Vec<AcceptedMac>) -> Result<Self, ResolverError> {
        Ok(Self { watch: MacWatch::start()?, accepted, known: None, stale: true })
    }

    /// Waits until what is known has changed. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        if !self.stale {
            if let Err(error) = self.watch.changed().await {
                tracing::warn!(%error, "cannot follow the MAC addresses of interfaces");
                tokio::time::sleep(RETRY).await;
            }
            self.stale = true;
        }
        tokio::time::sleep(BURST).await;
        match self.watch.macs().await {
            Ok(macs) => {
                self.known = Some(macs);
                self.stale = false;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the MAC addresses of interfaces");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Tells the data path.
    pub(super) fn tell(&self, balancer: Option<&Balancer>) {
        // Before the kernel has answered, what an agent before has written holds.
        let (Some(balancer), Some(known)) = (balancer, &self.known) else {
            return;
        };
        // One that is waited for has no index.
        let attached = balancer.data_path.attached().iter().filter(|one| one.index != 0);
        let rows: Vec<_> = attached.map(|one| (one.index, self.macs(known, one.index))).collect();
        balancer.reconciler.store().macs().write(&rows);
    }

    /// What an interface takes; nothing is everything.
    fn macs(&self, known: &Macs, interface: u32) -> Vec<Mac> {
        let own = known.of(interface);
        if own.is_empty() || self.accepted.contains(&AcceptedMac::Any) {
            return Vec::new();
        }
        let more = self.accepted.iter().filter_map(|accepted| match accepted {
            AcceptedMac::Any => None,
            AcceptedMac::Also(mac) => Some(*mac),
        });
        let mut seen = BTreeSet::new();
        let all = own.into_iter().chain(more).filter(|mac| seen.insert(*mac));
        all.map(Mac::new).collect()
    }
}
