//! Effect of a change of the configuration on flows. It is computed outside of the loop, from a
//! copy of the loop's state: with thousands of targets it takes seconds, and verdicts and other
//! callers must not wait for it.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use lb_config::{self as config, Config, Document, Limits, TargetKey};
use lb_dataplane::{StatsSource, StoreError, clock};
use lb_names::{expand, expansion::Addresses};
use lb_plan::{
    self as plan, Cache, Comparison, HealthTable, Impact, Inputs, NextHops, Plan, PlanError,
    Reports, Tables, TargetReport, Unserved,
};
use lb_scaling::Outline;
use tokio::{sync::oneshot, task::spawn_blocking};

use super::{
    Answer, Preview, Refusal,
    balancer::Balancer,
    guard::broken_listeners,
    http_guard,
    left_out::left_out,
    own_address,
    preview_inputs::{self, PreviewInputs},
    request::{failed, invalid},
    run::Agent,
};

/// The agent's state at the request of a preview.
struct Known {
    document: Document,
    limits: Limits,
    scaling: Outline,
    /// What names of targets resolve to.
    names: Addresses,
    /// `None` until there is a configuration.
    balancer: Option<KnownBalancer>,
}

/// What the balancer knows then.
pub(super) struct KnownBalancer {
    config: Config,
    health: HealthTable,
    drained: BTreeSet<TargetKey>,
    cut: BTreeSet<TargetKey>,
    next_hops: Arc<NextHops>,
    attached: BTreeSet<u32>,
    tables: Arc<Tables>,
    targets: Reports,
    http_targets: Vec<TargetReport>,
    cache: Cache,
    stats: StatsSource,
}

impl Agent {
    /// Finds out what a document would do, and says so from another thread.
    pub(super) fn preview(
        &mut self,
        document: Box<Document>,
        answer: oneshot::Sender<Result<Answer, Refusal>>,
    ) {
        match self.known() {
            Ok(known) => {
                spawn_blocking(move || {
                    let preview = known.preview(&document);
                    // The client may have gone away.
                    let _unheard = answer.send(preview.map(Box::new).map(Answer::Preview));
                });
            }
            Err(refusal) => {
                let _unheard = answer.send(Err(refusal));
            }
        }
    }

    fn known(&mut self) -> Result<Known, Refusal> {
        let document = self.source.document();
        let limits = self.options.limits;
        let balancer = match &mut self.balancer {
            Some(balancer) => Some(balancer.known(self.stats.clone()).map_err(failed)?),
            None => None,
        };
        let (scaling, names) = (self.scaling.outline(), self.names.resolver.addresses());
        Ok(Known { document, limits, scaling, names, balancer })
    }
}

impl Balancer {
    fn known(&mut self, stats: StatsSource) -> Result<KnownBalancer, StoreError> {
        Ok(KnownBalancer {
            config: self.config.clone(),
            health: self.health.clone(),
            drained: self.all_drained(),
            cut: self.cut.clone(),
            next_hops: Arc::clone(self.next_hops.current()),
            attached: self.attached(),
            tables: self.reconciler.current_shared()?,
            targets: self.plan.targets.clone(),
            http_targets: self.http.reports.clone(),
            cache: self.plan.cache.clone(),
            stats,
        })
    }
}

impl Known {
    fn preview(&self, document: &Document) -> Result<Preview, Refusal> {
        // Whoever may only read asks for this: the files that the document names are not touched.
        let (config, warnings) =
            config::validate_within(document, &self.limits).map_err(invalid)?;
        let differences = self.document.differences(document);
        let scaling = self.scaling.changes(&config);
        let config = expand(config, &self.names, &self.limits).config;
        let config = self.scaling.with_members(config);
        let (impact, waiting, left_out) = match &self.balancer {
            Some(balancer) => balancer.impact(&config)?,
            None => Default::default(),
        };
        let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        warnings.extend(waiting);
        let present = self.balancer.as_ref().map(|balancer| &balancer.config);
        let refused = own_address::newly_taken_addresses(present, &config)?;
        warnings.extend(refused.into_iter().map(|text| format!("REFUSED: {text}")));
        Ok(Preview { differences, impact, scaling, left_out, warnings })
    }
}

impl KnownBalancer {
    /// Effect of a configuration on flows. Targets that have not been checked yet count as healthy,
    /// and as reachable. Also the listeners that would wait for them, and objects in service that it
    /// leaves out.
    fn impact(&self, config: &Config) -> Result<(Impact, Vec<String>, Vec<String>), Refusal> {
        let (mut health, mut drained) = (Cow::Borrowed(&self.health), Cow::Borrowed(&self.drained));
        let renamed = plan::renamed(config, &self.tables);
        let left_out =
            left_out(&self.config, config, &renamed, &self.targets.iter().collect::<Vec<_>>());
        plan::carry_over_into(&renamed, &mut health, &mut drained);
        let plan = self.plan(config, &health, &drained, &self.next_hops).map_err(invalid)?;
        let there = &self.tables.listeners;
        let new: Vec<_> =
            plan.tables.listeners.keys().filter(|key| !there.contains_key(key)).copied().collect();
        if let Some(key) = self.stats.first_overflow(&new).map_err(failed)? {
            return Err(invalid(PlanError::first_overflow(&key)));
        }
        let present = (&self.config, &self.targets);
        let Unserved { mut left, waiting } = plan::unserved(present, (config, &plan));
        let (now, then) = ((&self.config, &self.drained), (config, &self.drained));
        left.extend(http_guard::left_without_targets(now, then, &self.http_targets));
        let mut broken_connections = plan::broken_connections(&self.tables, &plan);
        broken_connections.extend(broken_listeners(
            &self.config,
            config,
            &self.targets,
            &self.stats,
        ));
        let before = self.steady_plan(&self.config).map_err(invalid)?;
        let after = self.steady_plan(config).map_err(invalid)?;
        let mut comparison = Comparison::new(&before, &after);
        self.stats
            .each_remembered(|hash, target| comparison.count(hash, target))
            .map_err(failed)?;
        let target_groups = comparison.impact();
        let impact = Impact { target_groups, left_without_targets: left, broken_connections };
        Ok((impact, waiting, left_out))
    }

    /// The plan for a configuration once all its new targets are in service.
    fn steady_plan(&self, config: &Config) -> Result<Plan, PlanError> {
        let PreviewInputs { config, health, next_hops } =
            &preview_inputs::steady(config, &self.health, &self.next_hops);
        self.plan(config, health, &self.drained, next_hops)
    }

    fn plan(
        &self,
        config: &Config,
        health: &HealthTable,
        drained: &BTreeSet<TargetKey>,
        next_hops: &Arc<NextHops>,
    ) -> Result<Plan, PlanError> {
        plan::compile(&Inputs {
            config,
            health,
            drained,
            cut: &self.cut,
            removed: &[],
            next_hops,
            attached: &self.attached,
            now: clock::seconds(),
            idle_slots: &BTreeSet::new(),
            previous: &self.tables,
            cache: &self.cache,
        })
    }
}
