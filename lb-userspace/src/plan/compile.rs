//! PURE: from configuration, health and next hops to what the maps should hold.
//!
//! It decides content. In which order the maps get there is `diff`'s to say.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use lb_common::{
    ListenerKey, Mode, RingRef, Switches,
    limits::{
        DEVICES_MAX, GROUPS_MAX, LISTENERS_MAX, RING_SLOTS_MAX, TARGETS_MAX, WIDE_LISTENERS_MAX,
    },
    target::TargetState,
};

use super::{
    GroupTable, Inputs, RingCache, Tables, entry,
    former::Former,
    ids::Ids,
    listeners::{self, Listeners},
    membership, pools,
    rings::Facts,
    space::{self, Space},
    targets::Draft,
};
use crate::{
    config::{Config, Protocol, TargetGroup, TargetKey},
    consistency::Change,
    health::Reason,
    maglev::{self, Member},
};

/// What should be.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Plan {
    /// What the maps should hold.
    pub tables: Arc<Tables>,
    /// Every target of the configuration, in its order.
    pub targets: Vec<TargetReport>,
    /// The second of the monotonic clock at which the plan changes without any event: a delay is
    /// over, a weight rises. May lie in the past when the plan is old.
    pub next_change: Option<u32>,
    /// What people must be told: groups that fail open, have no target, or cannot reach some.
    pub warnings: Vec<String>,
    /// The rings, for the next plan's `Inputs`.
    pub cache: RingCache,
}

/// One target, for people and the API.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetReport {
    /// Which.
    pub key: TargetKey,
    /// Its number in the maps.
    pub id: u16,
    /// Its weight.
    pub weight: u32,
    /// Its state.
    pub state: TargetState,
    /// Why; `None` when healthy.
    pub reason: Option<Reason>,
    /// More on that, for people; empty when there is nothing to say.
    pub detail: String,
    /// Whether it takes new flows.
    pub in_ring: bool,
    /// Whether it has left the configuration and finishes its flows.
    pub leaving: bool,
    /// Second of the monotonic clock at which its flows are no longer kept, while it takes no new
    /// ones.
    pub until: Option<u32>,
    /// Its part of the slots of its group's ring, 0 to 1.
    pub share: f64,
}

/// Why there is no plan. Nothing has been changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More of something than its map holds.
    #[error(
        "the configuration has {count} {what}, and the maps hold {limit}: remove some, or move them \
         to another host"
    )]
    TooMany {
        /// What, in plural.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many are possible.
        limit: usize,
    },
    /// Both the old and the new ones do not fit at the same time.
    #[error(
        "the {what} that this change adds do not fit beside those that it replaces (the maps hold \
         {limit}): first remove the old ones, then add the new ones"
    )]
    NoRoomToReplace {
        /// What, in plural.
        what: &'static str,
        /// How many are possible.
        limit: usize,
    },
    /// The array of slots is full.
    #[error(
        "target group {group} needs a ring of {slots} slots, and no free space of that length is \
         left among the {RING_SLOTS_MAX} slots of all rings: remove target groups that no longer \
         need theirs, or move some to another host (a ring has 100 slots a target, rounded up to a \
         power of two)"
    )]
    NoRoomForRing {
        /// The group.
        group: String,
        /// The slots it needs.
        slots: usize,
    },
    /// More listeners than the data path looks through hash to one place.
    #[error(
        "the listener on {listener} finds no place in the table of listeners: too many others, also \
         those that this change removes, hash to the same one: give it another port or address, or \
         first remove the old ones, then add the new ones"
    )]
    Crowded {
        /// Its address, port and protocol.
        listener: String,
    },
    /// A listener forwards to a group that is not there.
    #[error(
        "listener {listener} forwards to target group {group}, which does not exist: define it, or \
         change the listener"
    )]
    GroupMissing {
        /// The listener.
        listener: String,
        /// The group.
        group: String,
    },
}

impl PlanError {
    /// A listener without a place.
    pub(crate) fn crowded(key: &ListenerKey) -> Self {
        Self::Crowded { listener: entry::shown(key) }
    }
}

/// Makes a plan.
pub fn compile(inputs: &Inputs<'_>) -> Result<Plan, PlanError> {
    check_limits(inputs.config)?;
    let mut compiler = Compiler::new(inputs);
    for group in &inputs.config.target_groups {
        compiler.group(group)?;
    }
    compiler.rest();
    compiler.listeners()?;
    compiler.devices()?;
    let Compiler { plan, tables, .. } = compiler;
    Ok(Plan { tables: Arc::new(tables), ..plan })
}

/// Number 0 is nobody, so that one entry less than the size of a map can be used.
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
    /// The plan, but for its tables.
    pub(super) plan: Plan,
    pub(super) tables: Tables,
    /// Names of groups that listeners forward to.
    used: HashSet<&'inputs str>,
    /// Ids of the previous groups, by name.
    known_groups: BTreeMap<&'inputs str, u16>,
    /// The previous targets, by the id of their group; without those of groups that were planned.
    pub(super) former: BTreeMap<u16, Former<'inputs>>,
    /// Ids of targets that go.
    pub(super) gone: Vec<u16>,
    /// Ids of the planned groups, by name.
    groups: BTreeMap<&'inputs str, u16>,
    group_ids: Ids,
    pub(super) target_ids: Ids,
    /// Whether flows may go to the target with this id; for the groups that have been planned.
    routable: Vec<bool>,
    /// Ids of former targets that rest, and until when.
    pub(super) resting: BTreeMap<u16, u32>,
    space: Space,
}

impl<'run, 'inputs> Compiler<'run, 'inputs> {
    fn new(inputs: &'run Inputs<'inputs>) -> Self {
        let previous = inputs.previous;
        let mut known_groups = BTreeMap::new();
        for (id, group) in &previous.groups {
            known_groups.entry(&*group.name).or_insert(*id);
        }
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
            plan: Plan::default(),
            tables: Tables::default(),
            used: listeners.map(|listener| listener.target_group.as_str()).collect(),
            known_groups,
            former: Former::of(previous),
            gone: Vec::new(),
            groups: BTreeMap::new(),
            group_ids: Ids::new(previous.groups.keys().copied(), GROUPS_MAX),
            target_ids: Ids::new(
                previous.targets.keys().chain(resting.keys()).copied(),
                TARGETS_MAX,
            ),
            resting,
            routable: vec![false; TARGETS_MAX],
            space: Space::new(previous.groups.values().map(|group| group.ring)),
        }
    }

    fn group(&mut self, group: &'inputs TargetGroup) -> Result<(), PlanError> {
        let known = self.known_groups.get(&*group.name).copied();
        let id = known
            .or_else(|| self.group_ids.take())
            .ok_or_else(|| no_room("target groups", GROUPS_MAX))?;
        self.groups.insert(&group.name, id);
        let used = self.used.contains(&*group.name);
        let mut former = self.former.remove(&id).unwrap_or_default();
        let (mut drafts, verdicts) = self.targets(id, group, used, &mut former)?;
        if used {
            let warnings = membership::warnings(group, &verdicts);
            self.plan.warnings.extend(warnings);
        }
        let mut table =
            GroupTable { name: group.name.clone(), ring: RingRef::NONE, slots: [].into() };
        self.leaving(id, group, used, former, &mut drafts);
        if used && !drafts.is_empty() {
            let in_ring = membership::in_ring(group, &verdicts);
            let members = self.members(group, &mut drafts, &in_ring);
            self.ring(id, &mut table, members, &mut drafts, group)?;
        }
        self.tables.groups.insert(id, table);
        self.keep(drafts);
        Ok(())
    }

    /// Gives a group its ring: in its place while it has the size, else in free space.
    fn ring(
        &mut self,
        id: u16,
        table: &mut GroupTable,
        members: Vec<Member>,
        drafts: &mut [Draft<'_>],
        group: &TargetGroup,
    ) -> Result<(), PlanError> {
        let previous =
            self.inputs.previous.groups.get(&id).filter(|group| {
                space::is_sound(group.ring) && group.slots.len() == group.ring.len()
            });
        let bits = maglev::ring_bits(group.targets.len(), previous.map(|group| group.ring.bits()));
        let place = previous.map(|group| group.ring).filter(|ring| ring.bits() == bits);
        table.ring = place.or_else(|| self.space.take(bits)).ok_or_else(|| {
            PlanError::NoRoomForRing { group: table.name.to_string(), slots: 1 << bits }
        })?;
        for draft in &*drafts {
            self.routable[usize::from(draft.report.id)] = draft.entry.is_routable();
        }
        let (routable, inputs) = (&self.routable, self.inputs);
        let base = previous.map_or(0, |group| group.ring.base() as usize);
        let last = base + previous.map_or(0, |group| group.slots.len());
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let kept = drafts.iter().filter(|draft| draft.entry.is_routable());
        let facts = Facts {
            arms: arms(group),
            resets: group.life.connection_termination && group.protocol == Protocol::Tcp,
            routable: kept.map(|draft| draft.report.id).collect(),
            quiet: inputs.quiet.range(number(base)..number(last)).next().is_some(),
        };
        let change = Change {
            arms: facts.arms,
            resets: facts.resets,
            routable: &|id| routable.get(usize::from(id)).is_some_and(|routable| *routable),
            quiet: &|number| {
                u32::try_from(base + number).is_ok_and(|index| inputs.quiet.contains(&index))
            },
        };
        let ring = if members.is_empty() && previous.is_none() {
            self.plan.cache.blank(bits, facts)
        } else {
            inputs.cache.ring(id, members, bits, previous, facts, &change)
        };
        table.slots = ring.slots();
        let members = drafts.iter_mut().map(|draft| &mut draft.report);
        let members = members.filter(|report| report.in_ring);
        for (report, (_, share)) in members.zip(ring.shares()) {
            report.share = share;
        }
        self.plan.cache.keep(id, ring);
        Ok(())
    }

    fn listeners(&mut self) -> Result<(), PlanError> {
        let planned = listeners::plan(self.inputs.config, &self.groups, self.inputs.previous)?;
        let wide = planned.wide.keys().chain(self.inputs.previous.wide.keys());
        if wide.collect::<BTreeSet<_>>().len() > WIDE_LISTENERS_MAX {
            let what = "listeners on port ranges or prefixes";
            return Err(PlanError::NoRoomToReplace { what, limit: WIDE_LISTENERS_MAX });
        }
        let pools = pools::plan(self.inputs.config, &self.inputs.previous.pools)?;
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
        let resolved = tables.targets.values().filter(|target| target.is_resolved());
        tables.devices = resolved.map(|target| target.interface).collect();
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

/// Whether flows of a group's targets are kept by arming slots. In modes nat and fullnat every flow
/// has a binding; UDP flows are remembered from their first packet on, or never.
const fn arms(group: &TargetGroup) -> bool {
    let direct = !matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    direct && !matches!(group.protocol, Protocol::Udp)
}

/// What the data path must look for.
fn switches(config: &Config, listeners: &Listeners) -> Switches {
    let translates = |group: &TargetGroup| matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    let flags = [
        (config.icmp.echo_reply, Switches::ECHO_REPLY),
        (!listeners.wide.is_empty(), Switches::WIDE_LISTENERS),
        (config.target_groups.iter().any(translates), Switches::NAT),
    ];
    let flags = flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).sum();
    Switches { flags, icmp_rate: config.icmp.rate }
}

pub(super) fn no_room(what: &'static str, size: usize) -> PlanError {
    PlanError::NoRoomToReplace { what, limit: size - 1 }
}
