//! What a plan depends on.

use std::{collections::BTreeSet, sync::Arc};

use lb_config::{Config, TargetGroup, TargetKey};

use super::{Cache, Tables, cache::Basis};
use crate::{HealthTable, NextHops};

/// All that a plan depends on: the same inputs give the same plan on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'inputs> {
    /// What is wanted.
    pub config: &'inputs Config,
    /// Verdicts of the health checks; a target without one is initial.
    pub health: &'inputs HealthTable,
    /// Targets that take no new flows.
    pub drained: &'inputs BTreeSet<TargetKey>,
    /// Targets that have left the configuration, and do not finish their flows.
    pub cut: &'inputs BTreeSet<TargetKey>,
    /// Groups that were removed from the configuration, in their last form, if known. Those of the
    /// last plan need not be here.
    pub removed: &'inputs [Arc<TargetGroup>],
    /// Next hops, by address of the target.
    pub next_hops: &'inputs Arc<NextHops>,
    /// Indices of the interfaces that clients' packets come in by.
    pub attached: &'inputs BTreeSet<u32>,
    /// Second of the monotonic clock.
    pub now: u32,
    /// Indices of armed slots that have seen no exception for the idle timeout: they disarm.
    pub idle_slots: &'inputs BTreeSet<u32>,
    /// What the maps hold: ids and rings are found again in it.
    pub previous: &'inputs Tables,
    /// The groups of the last plan. It saves time and changes nothing else; may be empty.
    pub cache: &'inputs Cache,
}

impl Inputs<'_> {
    /// Ids of the listeners whose entries in the maps name the group with this id.
    pub(super) fn previous_listeners(&self, group: u16) -> BTreeSet<u16> {
        let listeners = self.previous.all_listeners();
        listeners.filter(|listener| listener.group == group).map(|listener| listener.id).collect()
    }

    /// Whether nothing has changed that the plans of all groups in the cache follow from. Their targets
    /// then are those of the previous tables.
    pub(super) fn cache_holds(&self) -> bool {
        let holds = |basis: &Basis| {
            std::ptr::eq(&raw const *basis.tables, self.previous)
                && basis.drained == *self.drained
                && basis.cut == *self.cut
                && basis.next_hops == *self.next_hops
                && basis.tunnel == self.config.tunnel
        };
        self.cache.basis().is_some_and(holds) && self.idle_slots.is_empty()
    }

    /// What the plans of all groups follow from, and the tables that came of it; `None` where it does
    /// not hold any longer.
    pub(super) fn basis(&self, tables: Arc<Tables>) -> Option<Basis> {
        self.idle_slots.is_empty().then(|| Basis {
            drained: self.drained.clone(),
            cut: self.cut.clone(),
            next_hops: Arc::clone(self.next_hops),
            tunnel: self.config.tunnel,
            tables,
        })
    }
}
