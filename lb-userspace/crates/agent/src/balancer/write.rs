//! Writing a plan into the maps: at once, or, where they are new, when the first verdicts are in.

use std::{mem, time::Instant};

use lb_dataplane::{LoadError, Maps, StoreError};
use lb_plan::{
    Plan,
    reconcile::ReconcileError,
    warning::{Warning, WarningKind},
};

use super::{Balancer, startup_wait::Ready};

/// Error of a change while maps of another layout forward.
const MIGRATING: &str = "maps of another layout forward until the new maps are filled: changes wait \
                      for the first health checks";

/// Errors of writing the maps.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The plan does not fit the maps, or they cannot be read or written.
    #[error(transparent)]
    Maps(#[from] ReconcileError<StoreError>),
    /// The links cannot be taken over.
    #[error(transparent)]
    Switch(#[from] LoadError),
}

impl Balancer {
    /// Brings the maps to a plan, or waits with that; gives what people should see of it.
    pub(super) fn write(&mut self, plan: Plan) -> Result<Plan, WriteError> {
        let ready = self.startup_wait.as_ref().map(|startup_wait| {
            startup_wait.ready(&plan.targets, self.next_hops.current(), Instant::now())
        });
        match ready {
            None => self.apply(&plan)?,
            Some(Ready::No) => return self.hold(plan),
            Some(ready) => {
                self.apply(&plan)?;
                self.hand_over(&ready)?;
            }
        }
        Ok(plan)
    }

    /// When there is something to do without any event.
    pub(crate) fn next_change(&self) -> Option<tokio::time::Instant> {
        let startup_wait =
            self.startup_wait.as_ref().map(|startup_wait| startup_wait.until().into());
        [startup_wait, self.plan_changes()].into_iter().flatten().min()
    }

    fn apply(&mut self, plan: &Plan) -> Result<(), ReconcileError<StoreError>> {
        let started = Instant::now();
        let changes = self.reconciler.apply(plan)?;
        self.idle_slots.clear();
        self.cut.clear();
        if changes.operations > 0 {
            tracing::debug!(
                operations = changes.operations,
                slots = changes.slots,
                took_us = started.elapsed().as_micros(),
                "maps written"
            );
        }
        Ok(())
    }

    /// Waits for verdicts. Another layout's maps forward meanwhile; where nothing does, the maps
    /// follow the configuration, and no target gets packets.
    fn hold(&mut self, mut plan: Plan) -> Result<Plan, WriteError> {
        if self.data_path.maps() == Maps::Migrating {
            // What the plan lacks is not missed yet.
            plan.warnings = vec![Warning::new(WarningKind::LayoutChange, "", MIGRATING)];
            return Ok(plan);
        }
        if self.health.is_empty() {
            self.apply(&plan)?;
            return Ok(plan);
        }
        let verdicts = mem::take(&mut self.health);
        let blank = self.plan_for(None);
        self.health = verdicts;
        self.apply(&blank?)?;
        Ok(plan)
    }

    /// Ends the wait: the filled maps replace those of another layout.
    fn hand_over(&mut self, ready: &Ready) -> Result<(), LoadError> {
        let migrating = self.data_path.maps() == Maps::Migrating;
        if migrating {
            self.data_path.switch()?;
        }
        if let Ready::Late(targets) = ready {
            tracing::warn!(
                targets,
                "some targets have no health check result yet; their flows \
                                     move to other targets"
            );
        }
        if let (Some(startup_wait), true) = (self.startup_wait.take(), migrating) {
            let after = startup_wait.lasted(Instant::now());
            tracing::info!(?after, "the new maps forward; the old maps are removed");
        }
        Ok(())
    }
}
