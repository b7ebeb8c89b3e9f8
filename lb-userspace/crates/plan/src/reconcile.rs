//! Brings the maps to what the plan wants: plan, difference, operations in order, verification.
//!
//! It owns the store and what it believes the maps hold; it deliberately knows nothing of time: the
//! agent says when to try again.

use std::sync::Arc;

use thiserror::Error;

use crate::{self as plan, MapOp, MapStore, Plan, PlanError, Tables};

/// Errors of a reconciliation.
#[derive(Debug, Error)]
pub enum ReconcileError<E: std::error::Error + 'static> {
    /// The wanted state does not fit the maps; nothing was changed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The maps could not be written or read; some steps may have been taken.
    #[error("cannot write the maps")]
    Store(#[source] E),
}

/// What one reconciliation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Operations that were applied.
    pub operations: usize,
    /// Slots that were written.
    pub slots: usize,
}

/// The maps and what is known of them.
#[derive(Debug)]
pub struct Reconciler<S> {
    store: S,
    /// What the maps hold; `None` after a failure, until they have been read back.
    current: Option<Arc<Tables>>,
}

impl<S: MapStore> Reconciler<S> {
    /// Takes the store over; what it holds is read when it is needed.
    pub const fn new(store: S) -> Self {
        Self { store, current: None }
    }

    /// The store, for what belongs to no plan.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// What the maps hold, read back if need be.
    pub fn current(&mut self) -> Result<&Tables, S::Error> {
        self.shared().map(|current| &**current)
    }

    /// The same, to be read by others while it changes.
    pub fn current_shared(&mut self) -> Result<Arc<Tables>, S::Error> {
        self.shared().cloned()
    }

    fn shared(&mut self) -> Result<&Arc<Tables>, S::Error> {
        let current = if let Some(current) = self.current.take() {
            current
        } else {
            // Whoever wrote last may not have come to the wait at the end of its operations.
            self.store.apply(&MapOp::Quiesce)?;
            Arc::new(self.store.read(None)?)
        };
        Ok(self.current.insert(current))
    }

    /// Plans without changing anything.
    pub fn plan(
        &mut self,
        inputs: impl FnOnce(&Tables) -> Result<Plan, PlanError>,
    ) -> Result<Plan, ReconcileError<S::Error>> {
        let current = self.current().map_err(ReconcileError::Store)?;
        let plan = inputs(current)?;
        let keys = plan.tables.listeners.keys();
        let new: Vec<_> =
            keys.filter(|key| !current.listeners.contains_key(key)).copied().collect();
        match self.store.first_overflow(&new) {
            Some(key) => Err(PlanError::first_overflow(key).into()),
            None => Ok(plan),
        }
    }

    /// Makes the maps hold what `plan` wants. After a failure, the next call starts from what the
    /// maps really hold.
    pub fn apply(&mut self, plan: &Plan) -> Result<Changes, ReconcileError<S::Error>> {
        let current = self.current().map_err(ReconcileError::Store)?;
        let operations = plan::diff(current, &plan.tables);
        let mut changes = Changes::default();
        for operation in &operations {
            if let Err(error) = self.store.apply(operation) {
                self.current = None;
                return Err(ReconcileError::Store(error));
            }
            changes.operations += 1;
            if let MapOp::WriteSlots(slots) = operation {
                changes.slots += slots.len();
            }
        }
        self.current = Some(Arc::clone(&plan.tables));
        Ok(changes)
    }

    /// See [`MapStore::seen`].
    pub fn seen(&self, slot: u32) -> u32 {
        self.store.seen(slot)
    }

    /// Reads the maps back; `false` if they differ from what this agent wrote, for example if
    /// another process has changed them. The next reconciliation then repairs them.
    pub fn verify(&mut self) -> Result<bool, S::Error> {
        let found = self.store.read(self.current.as_deref())?;
        let same = self.current.as_deref() == Some(&found);
        if !same {
            self.current = Some(Arc::new(found));
        }
        Ok(same)
    }
}
