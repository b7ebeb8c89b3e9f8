//! PURE: what a change would move: how much of each group's hash space gets another owner, which
//! targets start and stop taking flows, and which listeners would be left without any.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use lb_common::Slot;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{GroupTable, Plan, Tables};
use crate::config::Config;

/// The blast radius of a change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Groups that the change touches, by name.
    pub target_groups: Vec<GroupImpact>,
    /// What would leave a listener without targets that take flows: such a change needs `force`.
    pub left_without_targets: Vec<String>,
}

/// What becomes of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupImpact {
    /// Its name.
    pub name: String,
    /// Part of its hash space that gets another owner, 0 to 1: new flows go elsewhere there.
    pub moved_share: f64,
    /// Remembered flows in that part, or of targets that stop.
    pub remembered_flows: u64,
    /// Targets that start to take flows once they are healthy.
    pub starts: Vec<String>,
    /// Targets that stop to take new flows.
    pub stops: Vec<String>,
}

/// The slots of a group before and after.
#[derive(Debug)]
struct Ring {
    before: Arc<[Slot]>,
    after: Arc<[Slot]>,
}

/// What is compared with what, by name of the group.
#[derive(Debug, Default)]
pub struct Comparison {
    rings: BTreeMap<String, Ring>,
    /// The group of each target, and whether it stops.
    targets: BTreeMap<u16, (String, bool)>,
    starts: BTreeMap<String, Vec<String>>,
    stops: BTreeMap<String, Vec<String>>,
    /// Remembered flows that are touched.
    touched: BTreeMap<String, u64>,
}

impl Comparison {
    /// Compares two plans that were made from the same tables with the same assumptions.
    #[must_use]
    pub fn new(before: &Plan, after: &Plan) -> Self {
        let mut comparison = Self::default();
        let later = by_name(&after.tables);
        let former = by_name(&before.tables);
        let none: Arc<[Slot]> = Arc::from([]);
        for name in later.keys().chain(former.keys()) {
            let slots = |groups: &BTreeMap<&str, &GroupTable>| {
                groups.get(name).map_or_else(|| Arc::clone(&none), |one| Arc::clone(&one.slots))
            };
            let ring = Ring { before: slots(&former), after: slots(&later) };
            comparison.rings.insert((*name).to_owned(), ring);
        }
        let takes = |plan: &Plan| -> BTreeSet<_> {
            let reports = plan.targets.iter().filter(|report| report.in_ring);
            reports.map(|report| report.key.clone()).collect()
        };
        let (now, then) = (takes(before), takes(after));
        for key in then.difference(&now) {
            comparison.starts.entry(key.group.to_string()).or_default().push(key.place());
        }
        for key in now.difference(&then) {
            comparison.stops.entry(key.group.to_string()).or_default().push(key.place());
        }
        for report in &before.targets {
            let stops = now.contains(&report.key) && !then.contains(&report.key);
            comparison.targets.insert(report.id, (report.key.group.to_string(), stops));
        }
        comparison
    }

    /// Counts a remembered flow, if the change touches it.
    pub fn count(&mut self, hash: u64, target: u16) {
        let Some((group, stops)) = self.targets.get(&target) else {
            return;
        };
        if *stops || self.rings.get(group).is_some_and(|ring| ring.moves(hash)) {
            *self.touched.entry(group.clone()).or_default() += 1;
        }
    }

    /// What it comes to; groups that nothing happens to are left out.
    #[must_use]
    pub fn impact(mut self) -> Vec<GroupImpact> {
        let mut groups = Vec::new();
        for (name, ring) in &self.rings {
            let group = GroupImpact {
                name: name.clone(),
                moved_share: ring.moved_share(),
                remembered_flows: self.touched.get(name).copied().unwrap_or(0),
                starts: self.starts.remove(name).unwrap_or_default(),
                stops: self.stops.remove(name).unwrap_or_default(),
            };
            let quiet = group.starts.is_empty() && group.stops.is_empty();
            if !quiet || group.moved_share > 0.0 || group.remembered_flows > 0 {
                groups.push(group);
            }
        }
        groups
    }
}

impl Ring {
    /// Whether the owner of a hash changes. A place that nobody had does not.
    fn moves(&self, hash: u64) -> bool {
        let before = owner(&self.before, hash);
        before != 0 && before != owner(&self.after, hash)
    }

    fn moved_share(&self) -> f64 {
        let places = self.before.len().max(self.after.len());
        let bits = places.checked_ilog2().unwrap_or(0);
        if bits == 0 || Arc::ptr_eq(&self.before, &self.after) {
            return 0.0;
        }
        let moved = (0..places as u64).filter(|place| self.moves(place << (64 - bits))).count();
        // Both are below 2^32.
        f64::from(u32::try_from(moved).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(places).unwrap_or(u32::MAX))
    }
}

/// The slot of a hash is named by its top bits.
fn owner(slots: &[Slot], hash: u64) -> u16 {
    let bits = slots.len().checked_ilog2().filter(|bits| *bits > 0);
    let index = bits.and_then(|bits| usize::try_from(hash >> (64 - bits)).ok());
    index.and_then(|index| slots.get(index)).map_or(0, |slot| slot.current)
}

fn by_name(tables: &Tables) -> BTreeMap<&str, &GroupTable> {
    tables.groups.values().map(|group| (&*group.name, group)).collect()
}

/// Listeners that have targets that take flows now and would have none: in words.
#[must_use]
pub fn left_without_targets(config: &Config, current: &Tables, plan: &Plan) -> Vec<String> {
    let serves = |group: &GroupTable| group.slots.first().is_some_and(|slot| slot.current != 0);
    // A group keeps its id.
    let goes_on = |id| plan.tables.groups.get(id).is_some_and(serves);
    let stopped: HashSet<&str> = current
        .groups
        .iter()
        .filter(|(id, group)| serves(group) && !goes_on(id))
        .map(|(_, group)| &*group.name)
        .collect();
    let mut left = Vec::new();
    for listener in &config.listeners {
        let group = &listener.target_group;
        if !stopped.contains(group.as_str()) {
            continue;
        }
        let reports = plan.targets.iter().filter(|one| *one.key.group == **group && !one.leaving);
        let why = match reports.count() {
            0 => "has no targets any more".to_owned(),
            1 => "keeps one target, which takes no flows yet".to_owned(),
            count => format!("keeps {count} targets, none of which takes flows yet"),
        };
        left.push(format!("listener {}: its target group {group} {why}", listener.name));
    }
    left
}
