//! PURE: from configuration, health and next hops to what the maps should hold.
//!
//! It decides content. In which order the maps get there is `diff`'s to say.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem,
    sync::Arc,
};

use lb_common::{
    Mode, Slot, Switches,
    limits::{DEVICES_MAX, GROUPS_MAX, LISTENERS_MAX, TARGETS_MAX, WIDE_LISTENERS_MAX},
};
use lb_config::{Config, TargetGroup};

use super::{
    Cache, GroupTable, Inputs, PlanError, Reports, Tables,
    cache::{Cause, GroupPlan},
    id_allocator::Ids,
    is_transition,
    listeners::{self, Listeners},
    pools,
    previous_targets::PreviousTargets,
    rename::{self, Renamed},
    slot_allocator::SlotAllocator,
};
use crate::warning::Warning;

/// What should be.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Plan {
    /// What the maps should hold.
    pub tables: Arc<Tables>,
    /// Every target of the configuration, in its order.
    pub targets: Reports,
    /// The second of the monotonic clock at which the plan changes without any event: a delay is
    /// over, a weight rises. May be in the past if the plan is old.
    pub next_change: Option<u32>,
    /// Warnings: groups that fail open, have no target, or cannot reach some.
    pub warnings: Vec<Warning>,
    /// Ids of listeners that wait for the group that they switched to.
    pub waiting: BTreeSet<u16>,
    /// Ids of listeners that forward to their sorry group.
    pub sorry: BTreeSet<u16>,
    /// The groups, for the next plan's `Inputs`.
    pub cache: Cache,
}

/// Makes a plan.
pub fn compile(inputs: &Inputs<'_>) -> Result<Plan, PlanError> {
    check_limits(inputs.config)?;
    let renamed = rename::renamed(inputs.config, inputs.previous);
    if renamed.is_empty() {
        return compile_renamed(inputs, renamed);
    }
    let (mut health, mut drained) = (inputs.health.clone(), inputs.drained.clone());
    rename::carry_over(&renamed, &mut health, &mut drained);
    compile_renamed(&Inputs { health: &health, drained: &drained, ..*inputs }, renamed)
}

/// Makes a plan in which these groups have got another name.
fn compile_renamed(inputs: &Inputs<'_>, renamed: Vec<Renamed>) -> Result<Plan, PlanError> {
    let mut compiler = Compiler::new(inputs, renamed);
    for part in compiler.parts() {
        match part {
            Part::Stands(group) => compiler.take(&group),
            Part::New(cause) => {
                let group = compiler.group(cause)?;
                compiler.tables.targets.extend(group.targets.iter().copied());
                compiler.take(&Arc::new(group));
            }
        }
    }
    compiler.removed_groups();
    compiler.rest();
    compiler.listeners()?;
    compiler.devices()?;
    let Compiler { plan, tables, .. } = compiler;
    let tables = Arc::new(tables);
    let cache = plan.cache.with_tables(inputs.basis(Arc::clone(&tables)));
    Ok(Plan { tables, cache, ..plan })
}

/// A group to be planned.
enum Part {
    /// It stays as it is.
    Stands(Arc<GroupPlan>),
    /// It may become another.
    New(Cause),
}

/// Number 0 means none, so that one entry less than the size of a map can be used.
fn check_limits(config: &Config) -> Result<(), PlanError> {
    let targets = config.target_groups.iter().map(|group| group.targets.len());
    for (what, count, size) in [
        ("listeners", config.listeners.len(), LISTENERS_MAX),
        ("target groups", config.target_groups.len(), GROUPS_MAX),
        ("targets", targets.sum(), TARGETS_MAX),
    ] {
        let limit = size - 1;
        if count > limit {
            return Err(PlanError::TooMany { what, count, limit });
        }
    }
    Ok(())
}

/// A plan being made.
pub(super) struct Compiler<'run, 'inputs> {
    pub(super) inputs: &'run Inputs<'inputs>,
    /// The plan, except for its tables.
    pub(super) plan: Plan,
    pub(super) tables: Tables,
    /// Names of groups that listeners forward to.
    used: HashSet<&'inputs str>,
    /// Ids of the previous groups, by name.
    pub(super) known_groups: HashMap<&'inputs str, u16>,
    /// Groups that have got another name.
    pub(super) renamed: Vec<Renamed>,
    /// The previous targets, by the id of their group; without those of groups that were planned.
    pub(super) previous: BTreeMap<u16, PreviousTargets<'inputs>>,
    /// Ids of targets that go.
    pub(super) gone: Vec<u16>,
    /// When the group that is being planned changes without any event.
    pub(super) next_change: Option<u32>,
    pub(super) group_ids: Ids,
    pub(super) target_ids: Ids,
    /// Whether flows may go to the target with this id; for the groups that have been planned.
    pub(super) routable: Vec<bool>,
    /// Ids of removed targets that must not be reused, and until when.
    pub(super) resting: BTreeMap<u16, u32>,
    pub(super) space: SlotAllocator,
    /// Transition groups of listeners, and the groups that they switch to, by id.
    pub(super) transitions: BTreeMap<u16, u16>,
    /// Slots without an owner, by the bits of the ring: groups without targets share them.
    pub(super) blank: BTreeMap<u8, Arc<[Slot]>>,
}

impl<'run, 'inputs> Compiler<'run, 'inputs> {
    fn new(inputs: &'run Inputs<'inputs>, renamed: Vec<Renamed>) -> Self {
        let previous = inputs.previous;
        // Of two with one name the first is meant.
        let known_groups = previous.groups.iter().rev();
        let listeners = inputs.config.listeners.iter();
        let rests = |until: u32| until.wrapping_sub(inputs.now).wrapping_sub(1) <= u32::MAX / 2;
        let resting: BTreeMap<u16, u32> = previous
            .resting
            .iter()
            .filter(|(_, until)| rests(**until))
            .map(|(id, until)| (*id, *until))
            .collect();
        Self {
            inputs,
            plan: Plan {
                cache: Cache::with_capacity(inputs.config.target_groups.len()),
                ..Plan::default()
            },
            tables: Tables::default(),
            used: listeners.flat_map(|listener| listener.target_groups()).collect(),
            known_groups: known_groups.map(|(id, group)| (&*group.name, *id)).collect(),
            renamed,
            previous: BTreeMap::new(),
            gone: Vec::new(),
            next_change: None,
            group_ids: Ids::below(GROUPS_MAX),
            target_ids: Ids::below(TARGETS_MAX),
            resting,
            routable: vec![false; TARGETS_MAX],
            space: SlotAllocator::new(previous.groups.values().map(|group| group.ring)),
            transitions: BTreeMap::new(),
            blank: BTreeMap::new(),
        }
    }

    /// The groups of the configuration: which of them stay as they are.
    fn parts(&mut self) -> Vec<Part> {
        let inputs = self.inputs;
        let (previous, cache) = (inputs.previous, inputs.cache);
        // Targets of groups that were removed, or were not in the last plan, are in no cached plan.
        let configured: HashSet<&str> =
            inputs.config.target_groups.iter().map(|group| &*group.name).collect();
        let removed = |group: &GroupTable| {
            let stays = configured.contains(&*group.name) && cache.group(&group.name).is_some();
            !stays && !is_transition(&group.name)
        };
        let holds = inputs.cache_holds() && !previous.groups.values().any(removed);
        let mut standing = HashSet::new();
        let mut part = |group: &Arc<TargetGroup>| {
            let used = self.used.contains(&*group.name);
            let health = inputs.health.group(&group.name);
            let stands = |known: &&Arc<GroupPlan>| holds && known.stands(group, used, health);
            match cache.group(&group.name).filter(stands) {
                Some(known) => {
                    standing.insert(known.id);
                    Part::Stands(Arc::clone(known))
                }
                None => {
                    Part::New(Cause { group: Arc::clone(group), used, health: health.cloned() })
                }
            }
        };
        let parts = inputs.config.target_groups.iter().map(&mut part).collect();
        if holds {
            self.tables.targets.clone_from(&previous.targets);
            for group in cache.groups().filter(|group| !standing.contains(&group.id)) {
                for (id, _) in &group.targets {
                    self.tables.targets.remove(id);
                }
                self.previous.insert(group.id, group.targets.iter().collect());
            }
        } else {
            self.previous = PreviousTargets::of(previous);
        }
        parts
    }

    /// Takes a planned group over.
    fn take(&mut self, group: &Arc<GroupPlan>) {
        let GroupPlan { id, table, reports, warnings, next_change, interfaces, .. } = &**group;
        self.tables.groups.insert(*id, table.clone());
        if !interfaces.is_subset(&self.tables.devices) {
            self.tables.devices.extend(interfaces);
        }
        self.plan.targets.push(Arc::clone(reports));
        self.plan.warnings.extend(warnings.iter().cloned());
        self.plan.next_change = sooner(self.plan.next_change, *next_change, self.inputs.now);
        self.plan.cache.keep(Arc::clone(group));
    }

    fn listeners(&mut self) -> Result<(), PlanError> {
        let mut planned =
            listeners::plan(self.inputs.config, &self.plan.cache, self.inputs.previous)?;
        self.plan.sorry = mem::take(&mut planned.sorry);
        self.warn_of_sorry(&planned);
        self.lead(&mut planned)?;
        let wide = planned.wide.keys().chain(self.inputs.previous.wide.keys());
        if wide.collect::<BTreeSet<_>>().len() > WIDE_LISTENERS_MAX {
            let what = "listeners on port ranges or prefixes";
            return Err(PlanError::NoRoomToReplace { what, limit: WIDE_LISTENERS_MAX });
        }
        let pools = pools::plan(self.inputs.config, &self.inputs.previous.pools);
        let tables = &mut self.tables;
        tables.pools = pools;
        tables.switches = switches(self.inputs.config, &planned);
        tables.listeners = planned.exact;
        tables.vips = planned.vips;
        tables.wide = planned.wide;
        Ok(())
    }

    /// Packets may leave by every interface that a target is reached through; answers also by those
    /// that clients' packets came in by.
    fn devices(&mut self) -> Result<(), PlanError> {
        let tables = &mut self.tables;
        if tables.switches.has(Switches::NAT) {
            tables.devices.extend(self.inputs.attached);
        }
        let count = tables.devices.len();
        if count > DEVICES_MAX {
            return Err(PlanError::TooMany {
                what: "interfaces towards targets",
                count,
                limit: DEVICES_MAX,
            });
        }
        if tables.devices.union(&self.inputs.previous.devices).count() > DEVICES_MAX {
            return Err(PlanError::NoRoomToReplace {
                what: "interfaces towards targets",
                limit: DEVICES_MAX,
            });
        }
        Ok(())
    }
}

/// What the data path must look for.
fn switches(config: &Config, listeners: &Listeners) -> Switches {
    let translates =
        |group: &Arc<TargetGroup>| matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    let flags = [
        (config.icmp.echo_reply, Switches::ECHO_REPLY),
        (!listeners.wide.is_empty(), Switches::WIDE_LISTENERS),
        (config.target_groups.iter().any(translates), Switches::NAT),
    ];
    let flags = flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).sum();
    Switches { flags, icmp_rate: config.icmp.rate }
}

/// The earlier one of two seconds of the monotonic clock that are still to come.
pub(super) fn sooner(one: Option<u32>, other: Option<u32>, now: u32) -> Option<u32> {
    one.into_iter().chain(other).min_by_key(|second| second.wrapping_sub(now))
}

pub(super) fn table_full(what: &'static str, size: usize) -> PlanError {
    PlanError::NoRoomToReplace { what, limit: size - 1 }
}
