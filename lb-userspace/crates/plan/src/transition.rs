//! PURE: listeners that switch from one group to another keep their connections. This applies the
//! rule for slots (docs/consistency.md) to the ring of a listener.
//!
//! Such a listener keeps its ring: a copy of it becomes the ring of a separate group, a *transition
//! group*, in which each slot changes its owner to that of the same slot in the new group's ring.
//! So a slot arms, inherits and disarms as it does when the targets of a group change, and the data
//! path knows nothing of it. When such a ring equals that of the new group, the listener gets the
//! new group's ring.
//!
//! The maps hold the whole state: a listener whose entry names another group than its configuration
//! is in transition. Its history deliberately does not matter.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use lb_common::{Listener, RingRef, Slot, limits::GROUPS_MAX, target::TargetState};

use super::{
    GroupTable, PlanError, Tables,
    compile::{Compiler, table_full},
    group::{arms, resets},
    listeners::Listeners,
    previous_targets::{Place, place_of},
    slot_allocator,
    tables::same_slots,
    transition_name::{MARK, is_transition},
};
use crate::{
    consistency::{self, Change},
    warning::{Warning, WarningKind},
};

/// Listeners that come from one group and go to another.
struct Led {
    /// Id of the group that they have had, which may be a transition group.
    from: u16,
    /// Id of the group that they are to have.
    to: u16,
    /// Their ids.
    listeners: BTreeSet<u16>,
    /// Their slots.
    slots: Arc<[Slot]>,
    /// Whether they keep their previous targets, since the new group has no target in service yet.
    waits: bool,
}

impl Compiler<'_, '_> {
    /// Gives listeners that switch to another group the rings that keep their connections.
    pub(super) fn lead(&mut self, planned: &mut Listeners) -> Result<(), PlanError> {
        let previous = self.inputs.previous;
        let mut led: Vec<Led> = Vec::new();
        for ((from, to), listeners) in led_listeners(previous, planned) {
            if let Some((slots, waits)) = self.slots_between(from, to) {
                led.push(Led { from, to, listeners, slots, waits });
            }
        }
        if led.is_empty() {
            return Ok(());
        }
        let waiting = led.iter().filter(|one| one.waits);
        self.plan.waiting.extend(waiting.flat_map(|one| &one.listeners));
        // Those that keep their ring come first: others may share it.
        let (staying, moving): (Vec<_>, Vec<_>) =
            led.iter().partition(|one| self.stays_in_place(one, &led));
        let mut groups: HashMap<u16, u16> = HashMap::new();
        for (one, stays) in
            staying.iter().map(|one| (one, true)).chain(moving.iter().map(|one| (one, false)))
        {
            let id = match self.shared(one) {
                Some(id) => id,
                None => self.transition(one, stays)?,
            };
            groups.extend(one.listeners.iter().map(|listener| (*listener, id)));
        }
        let turn = |listener: &mut Listener| {
            if let Some(id) = groups.get(&listener.id) {
                listener.group = *id;
            }
        };
        planned.exact.values_mut().for_each(turn);
        let ranges = planned.wide.values_mut().flat_map(|wide| &mut wide.ranges);
        ranges.map(|range| &mut range.listener).for_each(turn);
        self.warn_of_waiting(&led, planned);
        Ok(())
    }

    /// Warns of groups that listeners wait for. If all listeners wait, nothing is dropped, and no
    /// target of the group gets packets, regardless of its own plan.
    fn warn_of_waiting(&mut self, led: &[Led], planned: &Listeners) {
        let awaited: BTreeSet<u16> = led.iter().filter(|one| one.waits).map(|one| one.to).collect();
        for to in awaited {
            let Some(name) = self.tables.groups.get(&to).map(|group| Arc::clone(&group.name))
            else {
                continue;
            };
            let has_listener = planned.all().any(|listener| listener.group == to);
            self.plan.warnings.retain(|warning| {
                use WarningKind::{FailOpen, NoTargetInService};
                let untrue = matches!(warning.kind, FailOpen | NoTargetInService);
                has_listener || !untrue || *warning.subject != *name
            });
            let text = format!(
                "target group {name}: it has no target in service yet; listeners that switched to \
                 it keep their previous targets"
            );
            self.plan.warnings.push(Warning::new(WarningKind::SwitchWaits, &*name, text));
        }
    }

    /// The ring for listeners that switch from a group to another; `None` if that is the other's
    /// ring, or if there are no flows to keep. Also whether they wait for the other.
    fn slots_between(&self, from: u16, to: u16) -> Option<(Arc<[Slot]>, bool)> {
        let before = sound(self.inputs.previous, from)?;
        let after = self.tables.groups.get(&to)?;
        let bits = before.ring.bits().max(after.ring.bits());
        let kept = self.kept_owners(before, to, bits);
        let waits = kept.is_some();
        let owners = kept.unwrap_or_else(|| spread(&after.slots, 1 << bits, |slot| slot.current));
        let renamed = self.same_servers(before, to);
        let same = |id: u16| renamed.get(&id).copied().unwrap_or(id);
        let known: Vec<Slot> = before
            .slots
            .iter()
            .map(|slot| Slot { current: same(slot.current), home: same(slot.home), ..*slot })
            .collect();
        let (inputs, targets, base) = (self.inputs, &self.tables.targets, before.ring.base());
        let config = &self.plan.cache.by_id(to)?.cause.group;
        let change = Change {
            arms: arms(config),
            resets: resets(config),
            routable: &|id| targets.get(&id).is_some_and(lb_common::Target::is_routable),
            idle_slots: &|number| {
                u32::try_from(number)
                    .is_ok_and(|number| inputs.idle_slots.contains(&(base + number)))
            },
            epoch: consistency::epoch(inputs.now),
        };
        let slots = consistency::own(&known, &owners, &change);
        let has_arrived = is_ring_of(&slots, &self.tables.groups.get(&to)?.slots);
        (!has_arrived).then_some((slots, waits))
    }

    /// The owners that slots keep while the new group has no target in service; `None` if it has
    /// one, or if no previous owner is left. Slots of a target that cannot take packets any more go
    /// to the others.
    fn kept_owners(&self, before: &GroupTable, to: u16, bits: u8) -> Option<Vec<u16>> {
        if !self.is_awaited(before, to) {
            return None;
        }
        let targets = &self.tables.targets;
        let kept = |slot: &Slot| {
            let routable = targets.get(&slot.current).is_some_and(lb_common::Target::is_routable);
            if routable { slot.current } else { 0 }
        };
        let mut owners = spread(&before.slots, 1 << bits, kept);
        let left: BTreeSet<u16> = owners.iter().copied().filter(|owner| *owner != 0).collect();
        let mut others = left.iter().cycle();
        for owner in owners.iter_mut().filter(|owner| **owner == 0) {
            *owner = *others.next()?;
        }
        Some(owners)
    }

    /// Whether a group has no target in service, and listeners with these slots have not been its
    /// listeners yet. It has to have a target that may come into service.
    fn is_awaited(&self, before: &GroupTable, to: u16) -> bool {
        use TargetState::{Healthy, Initial, Unhealthy};
        let Some(group) = self.plan.cache.by_id(to) else {
            return false;
        };
        let serves = group.reports.iter().any(|one| one.in_ring && one.state == Healthy);
        let may_serve = group.reports.iter().any(|report| {
            let checked = matches!(report.state, Initial | Healthy | Unhealthy);
            checked && !report.leaving && report.weight > 0
        });
        let targets = &self.tables.targets;
        let is_of_group =
            |slot: &Slot| targets.get(&slot.current).is_some_and(|one| one.group == to);
        !serves && may_serve && !before.slots.iter().any(is_of_group)
    }

    /// Targets of other groups in the slots of a ring that are the same servers, with the same
    /// forwarding, as targets of this group: their connections need not move.
    fn same_servers(&self, before: &GroupTable, to: u16) -> HashMap<u16, u16> {
        let targets = &self.tables.targets;
        let owners: BTreeSet<u16> =
            before.slots.iter().flat_map(|slot| [slot.current, slot.home]).collect();
        let others = owners.iter().filter_map(|id| Some((*id, targets.get(id)?)));
        let others: Vec<_> = others.filter(|(_, target)| target.group != to).collect();
        let Some(group) = self.plan.cache.by_id(to).filter(|_| !others.is_empty()) else {
            return HashMap::new();
        };
        let servers: HashMap<(Place, u8), u16> = group
            .targets
            .iter()
            // One that drains may be gone before the other one is.
            .filter(|(_, target)| target.is_accepting())
            .map(|(id, target)| ((place_of(target), target.mode), *id))
            .collect();
        let same = |target| servers.get(&(place_of(target), target.mode));
        others.into_iter().filter_map(|(id, target)| Some((id, *same(target)?))).collect()
    }

    /// Whether listeners stay in their transition group: no other listener is in it, or nothing
    /// changes in it.
    fn stays_in_place(&self, one: &Led, led: &[Led]) -> bool {
        let Some(group) = sound(self.inputs.previous, one.from) else {
            return false;
        };
        let alone = led.iter().filter(|other| other.from == one.from).count() == 1
            && self.inputs.previous_listeners(one.from) == one.listeners;
        is_transition(&group.name) && (alone || same_slots(&group.slots, &one.slots))
    }

    /// A transition group of this plan that has the same slots and leads to the same group. Its
    /// marks are those of its own packets, so that armed slots must have been armed now.
    fn shared(&self, one: &Led) -> Option<u16> {
        let epoch = consistency::epoch(self.inputs.now);
        let fresh = |slot: &Slot| !slot.is_armed() || slot.epoch == epoch;
        let mut others = self.transitions.iter().filter(|(_, to)| **to == one.to);
        others
            .find(|(id, _)| {
                let group = self.tables.groups.get(id);
                group.is_some_and(|group| same_slots(&group.slots, &one.slots))
            })
            .map(|(id, _)| *id)
            .filter(|_| one.slots.iter().all(fresh))
    }

    /// Plans a transition group; gives its id.
    fn transition(&mut self, one: &Led, stays: bool) -> Result<u16, PlanError> {
        let previous = self.inputs.previous;
        let bits = u8::try_from(one.slots.len().ilog2()).unwrap_or(u8::MAX);
        // A group that an agent wrote without a listener, since it failed before.
        let orphan = || {
            let mut groups = previous.groups.iter();
            let is_orphan = |id: &u16, group: &GroupTable| {
                is_transition(&group.name)
                    && !self.tables.groups.contains_key(id)
                    && self.inputs.previous_listeners(*id).is_empty()
            };
            groups.find(|(id, group)| is_orphan(id, group)).map(|(id, _)| *id)
        };
        let known = if stays { Some(one.from) } else { orphan() };
        let id = match known {
            Some(id) => id,
            None => self
                .group_ids
                .take(|| previous.groups.keys().copied())
                .ok_or_else(|| table_full("target groups", GROUPS_MAX))?,
        };
        let place = known.and_then(|id| sound(previous, id));
        let name: Arc<str> = format!("{MARK}{id}").into();
        let ring: Option<RingRef> =
            place.map(|group| group.ring).filter(|ring| ring.bits() == bits);
        let ring = ring.or_else(|| self.space.take(bits)).ok_or_else(|| {
            let to = self.tables.groups.get(&one.to).map_or(&*name, |group| &*group.name);
            PlanError::NoRoomForTransition { group: to.to_owned(), slots: one.slots.len() }
        })?;
        let same = place.filter(|group| same_slots(&group.slots, &one.slots));
        let slots = same.map_or(&one.slots, |group| &group.slots);
        self.plan.cache.add_armed(consistency::armed(slots));
        self.tables.groups.insert(id, GroupTable { name, ring, slots: Arc::clone(slots) });
        self.transitions.insert(id, one.to);
        Ok(id)
    }
}

/// Listeners whose entries name another group than they are to have, by both; only if their
/// connections can be kept: flows with a binding, and clients with stickiness, are looked up
/// differently.
fn led_listeners(previous: &Tables, planned: &Listeners) -> BTreeMap<(u16, u16), BTreeSet<u16>> {
    const WAYS: u16 = Listener::NAT | Listener::STICKY;
    let before: HashMap<u16, Listener> =
        previous.all_listeners().map(|listener| (listener.id, listener)).collect();
    let mut led: BTreeMap<(u16, u16), BTreeSet<u16>> = BTreeMap::new();
    for listener in planned.all() {
        if let Some(known) = before.get(&listener.id)
            && known.group != listener.group
            && (known.flags ^ listener.flags) & WAYS == 0
        {
            led.entry((known.group, listener.group)).or_default().insert(listener.id);
        }
    }
    led
}

/// The group in the maps with this id, if it has a ring that can be what it says.
fn sound(tables: &Tables, id: u16) -> Option<&GroupTable> {
    tables.groups.get(&id).filter(|group| {
        !group.ring.is_none()
            && slot_allocator::is_sound(group.ring)
            && group.slots.len() == group.ring.len()
    })
}

/// A ring of `len` slots from one of equal or smaller length; from one without slots, zeros.
fn spread(slots: &[Slot], len: usize, of: impl Fn(&Slot) -> u16) -> Vec<u16> {
    if slots.is_empty() {
        return vec![0; len];
    }
    let parts = len / slots.len();
    slots.iter().flat_map(|slot| std::iter::repeat_n(of(slot), parts)).collect()
}

/// Whether flows get the same targets by these slots and by those of a ring of equal or smaller
/// length, and nothing is armed in either.
fn is_ring_of(slots: &[Slot], ring: &[Slot]) -> bool {
    let nobody = [Slot::unarmed(0)];
    let ring = if ring.is_empty() { &nobody } else { ring };
    let parts = (slots.len() / ring.len()).max(1);
    let pairs = slots.chunks(parts).zip(ring);
    pairs.into_iter().all(|(part, other)| {
        let same = |slot: &Slot| !slot.is_armed() && slot.current == other.current;
        !other.is_armed() && part.iter().all(same)
    })
}
