//! Who follows the agent's state as it changes. It is built once a second only for them: everybody else
//! asks for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::watch::{self, error::RecvError};

use super::Snapshot;

/// How many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchers(Arc<AtomicUsize>);

impl Watchers {
    /// Whether there is one.
    pub(super) fn are_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    pub(super) fn watch(&self, snapshots: watch::Receiver<Arc<Snapshot>>) -> SnapshotWatch {
        self.0.fetch_add(1, Ordering::Relaxed);
        SnapshotWatch { snapshots, watchers: self.clone() }
    }
}

/// The agent's state as it changes.
#[derive(Debug)]
pub struct SnapshotWatch {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    watchers: Watchers,
}

impl SnapshotWatch {
    /// The state as it was built last.
    pub fn latest(&mut self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow_and_update())
    }

    /// Waits until it was built again.
    ///
    /// # Errors
    /// The agent stops.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        self.snapshots.changed().await
    }
}

impl Drop for SnapshotWatch {
    fn drop(&mut self) {
        self.watchers.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_have_gone_do_not_count() {
        let watchers = Watchers::default();
        let (_sender, receiver) = watch::channel(Arc::new(Snapshot::default()));
        assert!(!watchers.are_there());
        let (first, second) = (watchers.watch(receiver.clone()), watchers.watch(receiver));
        drop(first);
        assert!(watchers.are_there());
        drop(second);
        assert!(!watchers.are_there());
    }
}
