//! PURE: what a change would move: how much of each group's hash space gets another owner, which
//! targets start and stop taking flows, and which listeners would be left without any.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use lb_common::{Slot, target::TargetState};
use lb_config::{Config, Listener};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{GroupTable, Plan, Reports, Tables, TargetReport, is_transition, listener_id, pools};

/// The blast radius of a change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Groups that the change touches, by name.
    pub target_groups: Vec<GroupImpact>,
    /// Changes that leave a listener without targets that take flows: they need `force`.
    pub left_without_targets: Vec<String>,
    /// Open connections that would break, whatever their targets do: such a change needs `force`, too.
    pub broken_connections: Vec<String>,
}

/// Effect of a change on a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupImpact {
    /// Its name.
    pub name: String,
    /// Part of the group's hash space that gets another owner, 0 to 1. Its new flows go to another
    /// target.
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

/// The compared groups, by name.
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
        let previous = by_name(&before.tables);
        let none: Arc<[Slot]> = Arc::from([]);
        for name in later.keys().chain(previous.keys()) {
            let slots = |groups: &BTreeMap<&str, &GroupTable>| {
                groups.get(name).map_or_else(|| Arc::clone(&none), |one| Arc::clone(&one.slots))
            };
            let ring = Ring { before: slots(&previous), after: slots(&later) };
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

    /// The result, without groups that do not change.
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
            let idle_slots = group.starts.is_empty() && group.stops.is_empty();
            if !idle_slots || group.moved_share > 0.0 || group.remembered_flows > 0 {
                groups.push(group);
            }
        }
        groups
    }
}

impl Ring {
    /// Whether the owner of a hash changes. A place without an earlier listener does not.
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
    let groups = tables.groups.values().filter(|group| !is_transition(&group.name));
    groups.map(|group| (&*group.name, group)).collect()
}

/// Open connections that a plan ends since their bindings go: in words.
#[must_use]
pub fn broken_connections(current: &Tables, plan: &Plan) -> Vec<String> {
    pools::broken(&current.pools, &plan.tables.pools)
}

/// What a group has for new flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    /// No target takes any.
    #[default]
    None,
    /// Unhealthy targets take them, since none is healthy.
    FailOpen,
    /// Healthy targets do.
    Healthy,
}

/// What each group has.
fn services(targets: &Reports) -> HashMap<&str, Service> {
    let mut services: HashMap<&str, Service> = HashMap::new();
    for report in targets.iter().filter(|report| report.in_ring) {
        let healthy = report.state == TargetState::Healthy;
        let service = services.entry(&report.key.group).or_default();
        *service = (*service).max(if healthy { Service::Healthy } else { Service::FailOpen });
    }
    services
}

/// Listeners whose group has no target in service after a change, or less than before: in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unserved {
    /// They lose the last target that can serve them.
    pub left: Vec<String>,
    /// They wait for the first verdicts on the group that they switch to, and are served meanwhile.
    pub waiting: Vec<String>,
}

/// Which listeners these are. A configuration comes with the reports of its plan, or with the plan. A
/// listener that has no target already, and a new one, lose nothing.
#[must_use]
pub fn unserved(before: (&Config, &Reports), after: (&Config, &Plan)) -> Unserved {
    let (config, plan) = after;
    let [had, has] = [before.1, &plan.targets].map(services);
    let place = |one: &Listener| (one.address, one.ports, one.protocol.number());
    let known: HashMap<_, &str> =
        before.0.listeners.iter().map(|one| (place(one), one.target_group.as_str())).collect();
    let service = |all: &HashMap<&str, Service>, group| all.get(group).copied().unwrap_or_default();
    let mut unserved = Unserved::default();
    for listener in &config.listeners {
        let group = listener.target_group.as_str();
        let Some(previous) = known.get(&place(listener)).copied() else { continue };
        let now = service(&has, group);
        if now >= service(&had, previous) {
            continue;
        }
        let reports = plan.targets.iter().filter(|one| *one.key.group == *group && !one.leaving);
        let waits =
            listener_id(listener, &plan.tables).is_some_and(|id| plan.waiting.contains(&id));
        let unjudged = |one: &TargetReport| one.state == TargetState::Initial && one.weight > 0;
        if waits && reports.clone().any(unjudged) {
            let text = format!(
                "listener {}: no target of {group} has been checked yet; it keeps the targets of \
                 {previous} until one is healthy",
                listener.name
            );
            unserved.waiting.push(text);
            continue;
        }
        let verb = if previous == group { "keeps" } else { "has" };
        let why = match (reports.count(), now) {
            (0, _) if previous == group => "has no targets any more".to_owned(),
            (0, _) => "has no targets".to_owned(),
            (1, Service::None) => format!("{verb} one target, which takes no flows yet"),
            (count, Service::None) => {
                format!("{verb} {count} targets, none of which takes flows yet")
            }
            (1, _) => format!("{verb} one target, which is not healthy"),
            (count, _) => format!("{verb} {count} targets, none of which is healthy"),
        };
        unserved.left.push(format!("listener {}: its target group {group} {why}", listener.name));
    }
    unserved
}
