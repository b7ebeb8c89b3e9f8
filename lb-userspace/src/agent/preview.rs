//! What a change of the configuration would do to flows, from the balancer's maps and what it knows.

use std::collections::BTreeSet;

use super::{
    Refusal,
    balancer::{Balancer, unplanned},
    run::failed,
    settled::{self, Settled},
};
use crate::{
    clock,
    config::Config,
    dataplane::{StatsSource, StoreError},
    plan::{self, Comparison, Impact, Inputs, Plan},
    reconcile::ReconcileError,
};

impl Balancer {
    /// What taking a configuration over would do to flows. Targets that have not been checked yet
    /// count as healthy, and as reachable.
    pub(super) fn preview(
        &mut self,
        config: &Config,
        stats: &StatsSource,
    ) -> Result<Impact, Refusal> {
        let plan = self.plan_for(Some(config)).map_err(unplanned)?;
        let current = self.reconciler.current().map_err(failed)?;
        let left_without_targets = plan::left_without_targets(config, current, &plan);
        let now = self.config.clone();
        let before = self.settled(&now).map_err(unplanned)?;
        let after = self.settled(config).map_err(unplanned)?;
        let mut comparison = Comparison::new(&before, &after);
        stats.each_remembered(|hash, target| comparison.count(hash, target)).map_err(failed)?;
        Ok(Impact { target_groups: comparison.impact(), left_without_targets })
    }

    /// The plan for a configuration once all its new targets are in service.
    fn settled(&mut self, config: &Config) -> Result<Plan, ReconcileError<StoreError>> {
        let Settled { config, health, next_hops } =
            &settled::settle(config, &self.health, self.hops.current());
        let attached = &self.attached();
        let Self { reconciler, drained, plan, .. } = self;
        let (cache, now) = (&plan.cache, clock::seconds());
        let (cut, quiet) = (&BTreeSet::new(), &BTreeSet::new());
        reconciler.plan(|previous| {
            plan::compile(&Inputs {
                config,
                health,
                drained,
                cut,
                next_hops,
                attached,
                now,
                quiet,
                previous,
                cache,
            })
        })
    }
}
