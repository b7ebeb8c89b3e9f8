//! Keeps the data path's list of this host's MAC addresses up to date: those of its interfaces, and
//! of the macvlan and VLAN interfaces on top of them.

use std::{collections::BTreeSet, future::pending, time::Duration};

use lb_common::Mac;
use lb_netlink::{MacWatch, Macs, ResolverError};
use tokio::{sync::watch, task::AbortHandle};

use super::{AcceptedMac, balancer::Balancer};

/// How long a burst of events is gathered.
const BURST: Duration = Duration::from_millis(5);
/// After a failure, until the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Knows the MAC addresses of interfaces.
#[derive(Debug)]
pub(super) struct MacFollower {
    accepted: Vec<AcceptedMac>,
    /// The kernel's last answer; `None` before the first one.
    known: watch::Receiver<Option<Macs>>,
    task: AbortHandle,
}

impl Drop for MacFollower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MacFollower {
    /// Starts to follow them, in a task of its own: an answer of the kernel is read to its end, whatever
    /// happens in the loop meanwhile.
    pub(super) fn start(accepted: Vec<AcceptedMac>) -> Result<Self, ResolverError> {
        let (sender, known) = watch::channel(None);
        let task = tokio::spawn(follow(MacWatch::start()?, sender)).abort_handle();
        Ok(Self { accepted, known, task })
    }

    /// Waits until what is known has changed. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        if self.known.changed().await.is_err() {
            // The task has ended, as it does only when this process does.
            pending::<()>().await;
        }
    }

    /// Tells the data path.
    pub(super) fn publish_to(&self, balancer: Option<&Balancer>) {
        // Before the kernel has answered, what an agent before has written holds.
        let known = self.known.borrow();
        let (Some(balancer), Some(known)) = (balancer, known.as_ref()) else {
            return;
        };
        // One that is waited for has no index.
        let attached = balancer.data_path.attached().iter().filter(|one| one.index != 0);
        let rows: Vec<_> = attached.map(|one| (one.index, self.macs(known, one.index))).collect();
        balancer.reconciler.store().macs().write(&rows);
    }

    /// Accepted addresses of an interface; none means all.
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

/// Asks the kernel now and after each change, for ever.
async fn follow(mut watch: MacWatch, known: watch::Sender<Option<Macs>>) {
    loop {
        match watch.macs().await {
            Ok(macs) => {
                known.send_replace(Some(macs));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the MAC addresses of interfaces");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        }
        if let Err(error) = watch.changed().await {
            tracing::warn!(%error, "cannot follow the MAC addresses of interfaces");
            tokio::time::sleep(RETRY).await;
        }
        tokio::time::sleep(BURST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_learnt_although_the_loop_has_other_things_to_do() {
        let mut macs = MacFollower::start(Vec::new()).unwrap();
        let learnt = async {
            while macs.known.borrow().is_none() {
                // As `select!` does it when something else is ready.
                drop(tokio::time::timeout(Duration::from_millis(1), macs.changed()).await);
            }
        };
        tokio::time::timeout(Duration::from_secs(5), learnt).await.unwrap();
    }
}
