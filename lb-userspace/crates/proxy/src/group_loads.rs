//! What the workers of a host count together for a target group: the outstanding requests of each target, where a
//! limit or the algorithm asks for them, and the requests that wait for a target below its limit.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use lb_rules::choice::{Algorithm, Settings};
use tokio::sync::Notify;

use crate::snapshot::Group;

/// The counters of a group. Empty where each worker counts for itself, so that no cache line is shared.
#[derive(Debug, Default)]
pub(crate) struct GroupLoads {
    targets: HashMap<SocketAddr, Arc<AtomicU32>>,
    pub(crate) queue: Arc<TargetQueue>,
}

/// Requests that wait for a target. Whoever was woken may find that another one was faster, and waits again.
#[derive(Debug, Default)]
pub(crate) struct TargetQueue {
    waiting: AtomicUsize,
    freed: Notify,
}

impl GroupLoads {
    /// The counters of a group; targets that stay, and those that still have requests, keep theirs.
    pub(crate) fn new(group: &Group, old: Option<&Self>) -> Self {
        let queue = old.map(|old| Arc::clone(&old.queue)).unwrap_or_default();
        if !is_shared(&group.choice) {
            return Self { targets: HashMap::new(), queue };
        }
        let mut targets: HashMap<SocketAddr, Arc<AtomicU32>> =
            old.map(|old| old.targets.clone()).unwrap_or_default();
        targets.retain(|_, counter| counter.load(Ordering::Relaxed) > 0);
        for target in &group.targets {
            let kept = old.and_then(|old| old.targets.get(&target.address));
            let counter = kept.map(Arc::clone).unwrap_or_default();
            targets.insert(target.address, counter);
        }
        Self { targets, queue }
    }

    /// The counter of a target, if workers share it.
    pub(crate) fn counter(&self, address: SocketAddr) -> Option<Arc<AtomicU32>> {
        self.targets.get(&address).map(Arc::clone)
    }
}

fn is_shared(settings: &Settings) -> bool {
    let by_load = [Algorithm::LeastOutstanding, Algorithm::LeastOutstandingOfTwo];
    settings.connections_max > 0 || by_load.contains(&settings.algorithm)
}

impl TargetQueue {
    /// A request has ended: one that waits may try.
    pub(crate) fn freed(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// Targets or limits have changed: all that wait may try.
    pub(crate) fn changed(&self) {
        self.freed.notify_waiters();
    }

    /// Waits with the others, if they are fewer than `max`.
    pub(crate) fn enter(self: &Arc<Self>, max: usize) -> Option<WaitingRequest> {
        let entered = WaitingRequest(Arc::clone(self));
        // The guard counts down again.
        (self.waiting.fetch_add(1, Ordering::SeqCst) < max).then_some(entered)
    }
}

/// A request that waits until this is dropped.
#[derive(Debug)]
pub(crate) struct WaitingRequest(Arc<TargetQueue>);

impl WaitingRequest {
    /// What wakes it. It must be enabled before the targets are looked at once more.
    pub(crate) fn freed(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.freed.notified()
    }
}

impl Drop for WaitingRequest {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
