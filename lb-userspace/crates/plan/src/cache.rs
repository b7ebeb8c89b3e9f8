//! PURE: the groups of the last plan. The inputs of a group's plan are mostly unchanged: then the
//! cached plan is used, and a change of one target needs the planning of only one group.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use lb_common::{Target, target::TargetState};
use lb_config::{TargetGroup, TargetKey, Tunnel};

use super::{GroupTable, Tables, TargetReport, rings::Ring};
use crate::{GroupHealth, NextHops, warning::Warning};

/// The groups of a plan, for the next one's `Inputs`.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    basis: Option<Basis>,
    /// Armed slots of rings of listeners in transition from one group to another.
    armed_between: usize,
    groups: HashMap<Arc<str>, Arc<GroupPlan>>,
}

/// The inputs of the cached plans of all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) drained: BTreeSet<TargetKey>,
    pub(super) cut: BTreeSet<TargetKey>,
    pub(super) next_hops: Arc<NextHops>,
    pub(super) tunnel: Tunnel,
    /// What came of it.
    pub(super) tables: Arc<Tables>,
}

/// The other inputs of the plan of one group.
#[derive(Debug)]
pub(super) struct Cause {
    /// Its configuration.
    pub(super) group: Arc<TargetGroup>,
    /// Whether a listener forwards to it.
    pub(super) used: bool,
    /// The verdicts on its targets.
    pub(super) health: Option<Arc<GroupHealth>>,
}

/// The plan of one group.
#[derive(Debug)]
pub(super) struct GroupPlan {
    pub(super) cause: Cause,
    /// Its id.
    pub(super) id: u16,
    /// Itself in the maps.
    pub(super) table: GroupTable,
    /// Its ring, if it has one.
    pub(super) ring: Option<Ring>,
    /// The interfaces that its targets are reached by.
    pub(super) interfaces: BTreeSet<u32>,
    /// The entries of its targets, by id.
    pub(super) targets: Vec<(u16, Target)>,
    /// Reports on them.
    pub(super) reports: Arc<[TargetReport]>,
    /// Warnings.
    pub(super) warnings: Vec<Warning>,
    /// When it changes without any event.
    pub(super) next_change: Option<u32>,
    /// Whether it serves nobody as its listeners want: no target is in service, or fewer than its quorum.
    /// Not while its targets wait for their first health check.
    pub(super) is_down: bool,
    /// Whether it is what was there before it.
    pub(super) is_stable: bool,
}

impl Cache {
    /// The group with this name.
    pub(super) fn group(&self, name: &str) -> Option<&Arc<GroupPlan>> {
        self.groups.get(name)
    }

    /// What the plans of all groups followed from; `None` when there are none, or it is over.
    pub(super) fn basis(&self) -> Option<&Basis> {
        self.basis.as_ref()
    }

    /// The groups.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Arc<GroupPlan>> {
        self.groups.values()
    }

    /// Number of armed slots of all rings.
    #[must_use]
    pub fn armed(&self) -> usize {
        let groups = self.groups.values().filter_map(|group| group.ring.as_ref());
        groups.map(Ring::armed).sum::<usize>() + self.armed_between
    }

    /// Counts armed slots of a ring that is no group's of the configuration.
    pub(super) fn add_armed(&mut self, slots: usize) {
        self.armed_between += slots;
    }

    /// The group with this id.
    pub(super) fn by_id(&self, id: u16) -> Option<&Arc<GroupPlan>> {
        self.groups.values().find(|group| group.id == id)
    }

    /// Room for so many groups.
    pub(super) fn with_capacity(groups: usize) -> Self {
        Self { groups: HashMap::with_capacity(groups), ..Self::default() }
    }

    /// Keeps a group for the next plan.
    pub(super) fn keep(&mut self, group: Arc<GroupPlan>) {
        self.groups.insert(Arc::clone(&group.table.name), group);
    }

    /// Keeps what they all follow from.
    pub(super) fn with_tables(self, basis: Option<Basis>) -> Self {
        Self { basis, ..self }
    }
}

impl GroupPlan {
    /// Whether a healthy target takes new flows.
    pub(super) fn serves(&self) -> bool {
        let takes = |report: &TargetReport| report.in_ring && report.state == TargetState::Healthy;
        self.reports.iter().any(takes)
    }

    /// Whether it is its own successor: it has come of the same cause, from what it is itself, and
    /// time alone does not change it.
    pub(super) fn stands(
        &self,
        group: &Arc<TargetGroup>,
        used: bool,
        health: Option<&Arc<GroupHealth>>,
    ) -> bool {
        let cause = &self.cause;
        let same = cause.group == *group && cause.used == used && cause.health.as_ref() == health;
        self.is_stable && self.next_change.is_none() && same
    }
}
