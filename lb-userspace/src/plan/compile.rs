//! PURE: from configuration, health and next hops to what the maps should hold.
//!
//! It decides content. In which order the maps get there is `diff`'s to say.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{
    Address, Be16, Mode, RingRef, Switches, Target,
    limits::{DEVICES_MAX, GROUPS_MAX, LISTENERS_MAX, RING_SLOTS_MAX, TARGETS_MAX},
    target::TargetState,
};

use super::{
    GroupTable, Inputs, RingCache, Tables, entry,
    ids::Ids,
    listeners::{self, Listeners},
    membership::{self, Verdict},
    pools,
    space::{self, Space},
};
use crate::{
    config::{Config, Protocol, TargetGroup, TargetKey},
    consistency::Change,
    health::Reason,
    maglev::{self, Member},
};

/// Seconds that the id of a former target rests: as long as a flow of the most patient listener is
/// remembered (100 minutes, and an eighth more).
const ID_REST: u32 = 6000 + 6000 / 8 + 1;

/// What should be.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Plan {
    /// What the maps should hold.
    pub tables: Tables,
    /// Every target of the configuration, in its order.
    pub targets: Vec<TargetReport>,
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
    Ok(compiler.plan)
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

/// What finds a target again: group, family, address, port.
type TargetPlace = (u16, u8, Address, Be16);

/// A plan being made.
struct Compiler<'run, 'inputs> {
    inputs: &'run Inputs<'inputs>,
    plan: Plan,
    /// Names of groups that listeners forward to.
    used: BTreeSet<&'inputs str>,
    /// Ids of the previous groups, by name.
    known_groups: BTreeMap<&'inputs str, u16>,
    known_targets: BTreeMap<TargetPlace, u16>,
    /// Ids of the planned groups, by name.
    groups: BTreeMap<&'inputs str, u16>,
    group_ids: Ids,
    target_ids: Ids,
    /// Whether flows may go to the target with this id; for the groups that have been planned.
    routable: Vec<bool>,
    /// Ids of former targets that rest, and until when.
    resting: BTreeMap<u16, u32>,
    space: Space,
}

impl<'run, 'inputs> Compiler<'run, 'inputs> {
    fn new(inputs: &'run Inputs<'inputs>) -> Self {
        let previous = inputs.previous;
        let mut known_groups = BTreeMap::new();
        for (id, group) in &previous.groups {
            known_groups.entry(group.name.as_str()).or_insert(*id);
        }
        let mut known_targets = BTreeMap::new();
        for (id, target) in &previous.targets {
            let place = (target.group, target.family, target.address, target.port);
            known_targets.entry(place).or_insert(*id);
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
            plan: Plan {
                tables: Tables::default(),
                targets: Vec::new(),
                warnings: Vec::new(),
                cache: RingCache::default(),
            },
            used: listeners.map(|listener| listener.target_group.as_str()).collect(),
            known_groups,
            known_targets,
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
        let known = self.known_groups.get(group.name.as_str()).copied();
        let id = known
            .or_else(|| self.group_ids.take())
            .ok_or_else(|| no_room("target groups", GROUPS_MAX))?;
        self.groups.insert(&group.name, id);
        let used = self.used.contains(group.name.as_str());
        let first = self.plan.targets.len();
        let verdicts = self.targets(id, group, used)?;
        if used {
            let warnings = membership::warnings(group, &verdicts);
            self.plan.warnings.extend(warnings);
        }
        let mut table =
            GroupTable { name: group.name.clone(), ring: RingRef::NONE, slots: [].into() };
        if used && !group.targets.is_empty() {
            let members = self.members(first, &membership::in_ring(&verdicts));
            self.ring(id, &mut table, members, first, group)?;
        }
        self.plan.tables.groups.insert(id, table);
        Ok(())
    }

    /// Plans the entries of a group's targets, and their reports but for the ring.
    fn targets(
        &mut self,
        group_id: u16,
        group: &TargetGroup,
        used: bool,
    ) -> Result<Vec<Verdict<'inputs>>, PlanError> {
        let mut verdicts = Vec::with_capacity(group.targets.len());
        for target in &group.targets {
            let key =
                TargetKey { group: group.name.clone(), address: target.address, port: target.port };
            let verdict = membership::judge(self.inputs, group, target, &key, used);
            let entry = entry::target(
                target,
                group,
                group_id,
                verdict.state,
                verdict.hop,
                &self.inputs.config.tunnel,
            );
            let place = (group_id, entry.family, entry.address, entry.port);
            let id = match self.known_targets.get(&place) {
                Some(id) => *id,
                None => self.target_id()?,
            };
            self.plan.tables.targets.insert(id, entry);
            self.plan.targets.push(TargetReport {
                key,
                id,
                weight: target.weight,
                state: verdict.state,
                reason: verdict.reason,
                detail: verdict.detail.clone(),
                in_ring: false,
                share: 0.0,
            });
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    /// An id for a new target: a free one, else the one that has rested the longest.
    fn target_id(&mut self) -> Result<u16, PlanError> {
        let oldest = || {
            let resting = self.resting.iter();
            resting
                .max_by_key(|(_, until)| self.inputs.now.wrapping_sub(**until))
                .map(|(id, _)| *id)
        };
        let id = self.target_ids.take().or_else(oldest);
        let id = id.ok_or_else(|| no_room("targets", TARGETS_MAX))?;
        self.resting.remove(&id);
        Ok(id)
    }

    /// Lets the ids of targets that go rest: remembered flows may still name them.
    fn rest(&mut self) {
        let Self { inputs, plan, resting, .. } = self;
        let gone =
            inputs.previous.targets.keys().filter(|id| !plan.tables.targets.contains_key(id));
        // 0 would be no rest.
        let until = inputs.now.wrapping_add(ID_REST).max(1);
        resting.extend(gone.map(|id| (*id, until)));
        plan.tables.resting = std::mem::take(resting);
    }

    /// The members of a ring, from the reports of its group, which start at `first`.
    fn members(&mut self, first: usize, in_ring: &[bool]) -> Vec<Member> {
        let mut members = Vec::with_capacity(in_ring.len());
        let reports = self.plan.targets.iter_mut().skip(first);
        for (report, in_ring) in reports.zip(in_ring) {
            report.in_ring = *in_ring;
            if *in_ring {
                if let Some(entry) = self.plan.tables.targets.get_mut(&report.id) {
                    entry.flags |= Target::ROUTABLE | Target::ACCEPTING;
                }
                members.push(Member {
                    id: report.id,
                    identity: maglev::identity(report.key.address, report.key.port),
                    weight: report.weight,
                });
            }
        }
        members
    }

    /// Gives a group its ring: in its place while it has the size, else in free space.
    fn ring(
        &mut self,
        id: u16,
        table: &mut GroupTable,
        members: Vec<Member>,
        first: usize,
        group: &TargetGroup,
    ) -> Result<(), PlanError> {
        let previous =
            self.inputs.previous.groups.get(&id).filter(|group| {
                space::is_sound(group.ring) && group.slots.len() == group.ring.len()
            });
        let targets = self.plan.targets.len() - first;
        let bits = maglev::ring_bits(targets, previous.map(|group| group.ring.bits()));
        let place = previous.map(|group| group.ring).filter(|ring| ring.bits() == bits);
        table.ring = place.or_else(|| self.space.take(bits)).ok_or_else(|| {
            PlanError::NoRoomForRing { group: table.name.clone(), slots: 1 << bits }
        })?;
        for report in &self.plan.targets[first..] {
            let entry = self.plan.tables.targets.get(&report.id);
            self.routable[usize::from(report.id)] = entry.is_some_and(Target::is_routable);
        }
        let (routable, inputs) = (&self.routable, self.inputs);
        let base = previous.map_or(0, |group| group.ring.base() as usize);
        let change = Change {
            arms: arms(group),
            resets: false,
            routable: &|id| routable.get(usize::from(id)).is_some_and(|routable| *routable),
            quiet: &|number| {
                u32::try_from(base + number).is_ok_and(|index| inputs.quiet.contains(&index))
            },
        };
        let ring = inputs.cache.ring(&table.name, members, bits, previous, &change);
        table.slots = ring.slots();
        let members = self.plan.targets.iter_mut().skip(first);
        let members = members.filter(|report| report.in_ring);
        for (report, (_, share)) in members.zip(ring.shares()) {
            report.share = share;
        }
        self.plan.cache.keep(&table.name, ring);
        Ok(())
    }

    fn listeners(&mut self) -> Result<(), PlanError> {
        let planned = listeners::plan(self.inputs.config, &self.groups, self.inputs.previous)?;
        let pools = pools::plan(self.inputs.config, &self.inputs.previous.pools)?;
        let tables = &mut self.plan.tables;
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
        let tables = &mut self.plan.tables;
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

fn no_room(what: &'static str, size: usize) -> PlanError {
    PlanError::NoRoomToReplace { what, limit: size - 1 }
}
