//! Drains of targets, and what they would take from listeners.

use std::collections::BTreeSet;

use lb_config::{Config, TargetKey};

use super::{Balancer, unplanned};
use crate::{Refusal, guard::permit, http_guard};

impl Balancer {
    /// Listeners of the proxy that lose the last target of a group by a change.
    pub(super) fn http_unserved(
        &self,
        before: (&Config, &BTreeSet<TargetKey>),
        after: (&Config, &BTreeSet<TargetKey>),
    ) -> Vec<String> {
        http_guard::left_without_targets(before, after, &self.http.reports)
    }

    /// Begins or ends the drain of a target; returns whether that is a change.
    pub(crate) fn set_drained(
        &mut self,
        target: &TargetKey,
        drain: bool,
        force: bool,
    ) -> Result<bool, Refusal> {
        if !drain {
            return Ok(self.drained.remove(target));
        }
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
        Ok(true)
    }
}
