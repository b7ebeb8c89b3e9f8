//! Drains: which targets are taken out of service by a command, by whom, and why. Also what a new
//! configuration would take out of service.

use std::collections::{BTreeMap, BTreeSet};

use lb_config::{Config, TargetKey};
use lb_dataplane::StoreError;
use lb_plan::{self as plan, Renamed};
use lb_store::Drain;

use super::{Balancer, unplanned};
use crate::{Refusal, guard::permit, http_guard, http_targets, left_out::left_out};

/// Drained targets, and what is known of these drains.
pub(crate) type Drains = (BTreeSet<TargetKey>, BTreeMap<TargetKey, Drain>);

impl Balancer {
    /// Objects in service that a configuration leaves out.
    pub(crate) fn left_out(&mut self, config: &Config) -> Result<Vec<String>, StoreError> {
        let renamed = plan::renamed(config, self.reconciler.current()?);
        let targets: Vec<_> = self.plan.targets.iter().collect();
        Ok(left_out(&self.config, config, &renamed, &targets))
    }

    /// Listeners of the proxy that lose the last target of a group by a change.
    pub(super) fn http_unserved(
        &self,
        before: (&Config, &BTreeSet<TargetKey>),
        after: (&Config, &BTreeSet<TargetKey>),
    ) -> Vec<String> {
        http_guard::left_without_targets(before, after, &self.http.reports)
    }

    /// Begins the drain of a target, or ends it without one; returns whether that is a change.
    pub(crate) fn set_drained(
        &mut self,
        target: &TargetKey,
        drain: Option<Drain>,
        force: bool,
    ) -> Result<bool, Refusal> {
        let Some(drain) = drain else {
            self.drain_notes.remove(target);
            return Ok(self.drained.remove(target));
        };
        if !self.drained.insert(target.clone()) {
            return Ok(false);
        }
        let left = if self.http.has_group(target) {
            let mut before = self.drained.clone();
            before.remove(target);
            Ok(self.http_unserved((&self.config, &before), (&self.config, &self.drained)))
        } else {
            let plan = self.plan_for(None).map_err(unplanned);
            plan.map(|plan| self.unserved(&self.config, &plan).left)
        };
        if let Err(refusal) = left.and_then(|left| permit(left, Vec::new(), force)) {
            self.drained.remove(target);
            return Err(refusal);
        }
        self.drain_notes.insert(target.clone(), drain);
        Ok(true)
    }

    /// All drains, to go back to them.
    pub(crate) fn drains(&self) -> Drains {
        (self.drained.clone(), self.drain_notes.clone())
    }

    /// Goes back to them.
    pub(crate) fn restore_drains(&mut self, (drained, notes): Drains) {
        (self.drained, self.drain_notes) = (drained, notes);
    }

    /// Follows drains into a new configuration: renamed groups keep theirs, targets that are gone
    /// have none.
    pub(super) fn follow_drains(&mut self, renamed: &[Renamed]) {
        for Renamed { from, to, .. } in renamed {
            let moved: Vec<TargetKey> =
                self.drain_notes.keys().filter(|target| target.group == *from).cloned().collect();
            for target in moved {
                if let Some(note) = self.drain_notes.remove(&target) {
                    let target = TargetKey { group: to.clone(), ..target };
                    self.drain_notes.insert(target.clone(), Drain { target, ..note });
                }
            }
        }
        if !self.drained.is_empty() {
            let mut targets = self.targets();
            targets.extend(http_targets::keys(&self.config));
            self.drained.retain(|target| targets.contains(target));
        }
        self.drain_notes.retain(|target, _| self.drained.contains(target));
    }
}
