//! PURE: the ordered operations from the tables that are to the tables that should be.
//!
//! The order lets a packet see any state between two operations: an entry is added before the
//! references to it, and removed after them. It decides nothing about content: that is `compile`.

use std::{collections::BTreeSet, sync::Arc};

use imbl::ordmap::DiffItem;
use lb_common::{Listener, PortRange, Target, WideListeners, target::TargetState};

use super::{GroupTable, MapOp, SlotWrites, Tables, WidePrefix};

/// The operations that turn `current` into `wanted`, to be applied in this order.
///
/// 1. Interfaces, pools and targets that slots will need.
/// 2. Slots and groups that no packet reads yet, then the listeners that move to these groups: they
///    leave a group before it loses its targets.
/// 3. Slots, in place (only those that differ) or a whole ring in free space.
/// 4. Groups: each flips to its new ring with one store.
/// 5. VIPs, then listeners that use them; then those that go, in the other order; then groups that
///    lose their ring.
/// 6. Changes of targets that no slot waits for: states, next hops that are lost.
/// 7. If anything was replaced that a packet may still read: [`MapOp::Quiesce`].
/// 8. Groups, then targets, pools and interfaces that nothing names any more.
///
/// Ids and ring space that `wanted` assigns must not be in use in `current` (`compile` sees to
/// that); what step 7 waited for may be given out by the next plan. After an error, and at start,
/// it is not known whether step 7 took place: then [`MapOp::Quiesce`] has to come first.
#[must_use]
pub fn diff(current: &Tables, wanted: &Tables) -> Vec<MapOp> {
    let mut operations = Vec::new();
    let mut late = Vec::new();

    let new_devices = wanted.devices.difference(&current.devices);
    operations.extend(new_devices.map(|interface| MapOp::PutDevice(*interface)));
    put_pools(current, wanted, &mut operations);
    put_targets(current, wanted, &mut operations, &mut late);
    let read: BTreeSet<u16> = current.all_listeners().map(|listener| listener.group).collect();
    let is_read = |id: u16| read.contains(&id);
    let mut ringless = Vec::new();
    for of_read in [false, true] {
        let groups = || wanted.groups.iter().filter(|(id, _)| is_read(**id) == of_read);
        write_slots(current, groups(), &mut operations);
        put_groups(current, groups(), &mut operations, &mut ringless);
        if !of_read {
            move_listeners(current, wanted, &is_read, &mut operations);
        }
    }
    put_listeners(current, wanted, &is_read, &mut operations);
    put_wide(current, wanted, &is_read, &mut operations);
    let replaces = remove_listeners(current, wanted, &mut operations);
    operations.extend(ringless);
    operations.extend(late);

    let free = removals(current, wanted);
    if !free.is_empty() || replaces || rings_move(current, wanted) {
        operations.push(MapOp::Quiesce);
    }
    operations.extend(free);
    operations
}

/// Targets that slots need go to `early`, the rest to `late`: a change of health reaches the ring
/// before it reaches the entries that only a restarted agent reads.
fn put_targets(current: &Tables, wanted: &Tables, early: &mut Vec<MapOp>, late: &mut Vec<MapOp>) {
    for change in current.targets.diff(&wanted.targets) {
        let (before, (id, target)) = match change {
            DiffItem::Add(id, target) => (None, (id, target)),
            DiffItem::Update { old: (_, before), new } => (Some(before), new),
            DiffItem::Remove(..) => continue,
        };
        let list = match before {
            Some(before) if only_informs(before, target) => &mut *late,
            _ => &mut *early,
        };
        list.push(MapOp::PutTarget { id: *id, target: *target, fresh: before.is_none() });
    }
}

/// Whether a change of a target is better made after its slots have changed: it loses its next
/// hop or its flows, or only its state differs.
fn only_informs(before: &Target, after: &Target) -> bool {
    let loses_next_hop = before.is_resolved() && !after.is_resolved();
    let gains = |has: fn(&Target) -> bool| !has(before) && has(after);
    let gains_flows = gains(Target::is_routable) || gains(Target::is_accepting);
    let rest = |target: &Target| Target {
        state: TargetState::Initial as u8,
        flags: target.flags & !(Target::ROUTABLE | Target::ACCEPTING | Target::LEAVING),
        since: 0,
        until: 0,
        ..*target
    };
    loses_next_hop || !gains_flows && rest(before) == rest(after)
}

/// The group in `current` whose ring `wanted` writes in place.
fn in_place<'tables>(
    current: &'tables Tables,
    id: u16,
    group: &GroupTable,
) -> Option<&'tables GroupTable> {
    current
        .groups
        .get(&id)
        .filter(|before| before.ring == group.ring && before.slots.len() == group.slots.len())
}

fn write_slots<'tables>(
    current: &Tables,
    groups: impl Iterator<Item = (&'tables u16, &'tables GroupTable)>,
    operations: &mut Vec<MapOp>,
) {
    for (id, group) in groups {
        let base = group.ring.base();
        let whole = || SlotWrites::Ring { base, slots: Arc::clone(&group.slots) };
        let slots = match in_place(current, *id, group) {
            Some(before) if Arc::ptr_eq(&before.slots, &group.slots) => continue,
            Some(before) => {
                let both = group.slots.iter().zip(before.slots.iter());
                // A slot that stays must not be written: that would keep it armed for longer.
                if both.clone().all(|(slot, before)| slot != before) {
                    whole()
                } else {
                    let changed = (base..).zip(both).filter(|(_, (slot, before))| slot != before);
                    changed.map(|(index, (slot, _))| (index, *slot)).collect()
                }
            }
            None => whole(),
        };
        if !slots.is_empty() {
            operations.push(MapOp::WriteSlots(slots));
        }
    }
}

/// Puts new and changed groups. Those that lose their ring go to `ringless`: they must wait until no
/// listener that goes away points at them.
fn put_groups<'tables>(
    current: &Tables,
    groups: impl Iterator<Item = (&'tables u16, &'tables GroupTable)>,
    operations: &mut Vec<MapOp>,
    ringless: &mut Vec<MapOp>,
) {
    for (id, group) in groups {
        let before = current.groups.get(id);
        if before.is_some_and(|before| before.ring == group.ring && before.name == group.name) {
            continue;
        }
        let put = MapOp::PutGroup { id: *id, name: group.name.clone(), ring: group.ring };
        let list = if before.is_some() && group.ring.is_none() {
            &mut *ringless
        } else {
            &mut *operations
        };
        list.push(put);
    }
}

/// Whether a listener with an entry moves to a group that no packet reads yet.
fn moves(before: Listener, after: Listener, is_read: impl Fn(u16) -> bool) -> bool {
    before.id == after.id && before.group != after.group && !is_read(after.group)
}

/// The same for the listeners of a prefix: one of them moves, and the others stay as they are.
fn moves_wide(
    before: &WideListeners,
    after: &WideListeners,
    is_read: impl Fn(u16) -> bool,
) -> bool {
    let mut pairs = before.ranges.iter().zip(&after.ranges).filter(|(old, new)| old != new);
    before != after
        && pairs.all(|(old, new)| {
            let rest = |range: &PortRange| PortRange { listener: Listener::default(), ..*range };
            rest(old) == rest(new) && moves(old.listener, new.listener, &is_read)
        })
}

/// Puts the listeners that move to a group which no packet reads yet.
fn move_listeners(
    current: &Tables,
    wanted: &Tables,
    is_read: &dyn Fn(u16) -> bool,
    operations: &mut Vec<MapOp>,
) {
    for (key, listener) in &wanted.listeners {
        if current.listeners.get(key).is_some_and(|before| moves(*before, *listener, is_read)) {
            operations.push(MapOp::PutListener { key: *key, listener: *listener, fresh: false });
        }
    }
    for (prefix, listeners) in &wanted.wide {
        if current.wide.get(prefix).is_some_and(|before| moves_wide(before, listeners, is_read)) {
            let (prefix, listeners) = (*prefix, *listeners);
            operations.push(MapOp::PutWide { prefix, listeners, fresh: Vec::new() });
        }
    }
}

fn put_listeners(
    current: &Tables,
    wanted: &Tables,
    is_read: &dyn Fn(u16) -> bool,
    operations: &mut Vec<MapOp>,
) {
    let new_vips = wanted.vips.difference(&current.vips);
    operations.extend(new_vips.map(|vip| MapOp::PutVip(*vip)));
    for (key, listener) in &wanted.listeners {
        let before = current.listeners.get(key);
        let is_done =
            before.is_some_and(|before| before == listener || moves(*before, *listener, is_read));
        if !is_done {
            operations.push(MapOp::PutListener {
                key: *key,
                listener: *listener,
                fresh: before.is_none_or(|before| before.id != listener.id),
            });
        }
    }
}

/// Puts listeners on port ranges and prefixes, then turns on what makes packets ask for them.
fn put_wide(
    current: &Tables,
    wanted: &Tables,
    is_read: &dyn Fn(u16) -> bool,
    operations: &mut Vec<MapOp>,
) {
    for (prefix, listeners) in &wanted.wide {
        let is_done = current
            .wide
            .get(prefix)
            .is_some_and(|before| before == listeners || moves_wide(before, listeners, is_read));
        if is_done {
            continue;
        }
        let fresh: BTreeSet<u16> = ids(listeners).filter(|id| !uses(current, *id)).collect();
        operations.push(MapOp::PutWide {
            prefix: *prefix,
            listeners: *listeners,
            fresh: fresh.into_iter().collect(),
        });
    }
    if current.switches != wanted.switches {
        operations.push(MapOp::PutSwitches(wanted.switches));
    }
}

/// Ids of the listeners of a prefix.
fn ids(listeners: &WideListeners) -> impl Iterator<Item = u16> + '_ {
    let ranges = listeners.ranges.iter().filter(|range| range.protocol != 0);
    ranges.map(|range| range.listener.id)
}

/// Whether a listener has this id.
fn uses(tables: &Tables, id: u16) -> bool {
    tables.listeners.values().any(|listener| listener.id == id)
        || tables.wide.values().any(|listeners| ids(listeners).any(|other| other == id))
}

/// Removes listeners; says whether a packet may still use the id of one.
fn remove_listeners(current: &Tables, wanted: &Tables, operations: &mut Vec<MapOp>) -> bool {
    let before = operations.len();
    for key in current.listeners.keys() {
        if !wanted.listeners.contains_key(key) {
            operations.push(MapOp::RemoveListener(*key));
        }
    }
    let changed = |prefix: &WidePrefix, listeners| wanted.wide.get(prefix) != Some(listeners);
    for prefix in current.wide.keys().filter(|prefix| !wanted.wide.contains_key(prefix)) {
        operations.push(MapOp::RemoveWide(*prefix));
    }
    let removes = operations.len() > before
        || current.wide.iter().any(|(prefix, listeners)| changed(prefix, listeners));
    let old_vips = current.vips.difference(&wanted.vips);
    operations.extend(old_vips.map(|vip| MapOp::RemoveVip(*vip)));
    removes
}

/// Whether a packet may still read a ring that its group has left.
fn rings_move(current: &Tables, wanted: &Tables) -> bool {
    current.groups.iter().any(|(id, before)| {
        let after = wanted.groups.get(id);
        !before.ring.is_none() && after.is_none_or(|after| after.ring != before.ring)
    })
}

/// Puts new pools, before a listener needs them.
fn put_pools(current: &Tables, wanted: &Tables, operations: &mut Vec<MapOp>) {
    for (number, pool) in &wanted.pools {
        if current.pools.get(number) != Some(pool) {
            operations.push(MapOp::PutPool { number: *number, pool: *pool });
        }
    }
}

fn removals(current: &Tables, wanted: &Tables) -> Vec<MapOp> {
    let mut operations = Vec::new();
    for id in current.groups.keys() {
        if !wanted.groups.contains_key(id) {
            operations.push(MapOp::RemoveGroup(*id));
        }
    }
    for change in current.targets.diff(&wanted.targets) {
        if let DiffItem::Remove(id, _) = change {
            let until = wanted.resting.get(id).copied().unwrap_or(0);
            operations.push(MapOp::RemoveTarget { id: *id, until });
        }
    }
    for (id, until) in &current.resting {
        let rested = !wanted.resting.contains_key(id) && !wanted.targets.contains_key(id);
        if rested {
            operations.push(MapOp::RemoveTarget { id: *id, until: 0 });
        } else if let Some(other) = wanted.resting.get(id)
            && other != until
        {
            operations.push(MapOp::RemoveTarget { id: *id, until: *other });
        }
    }
    for number in current.pools.keys().filter(|number| !wanted.pools.contains_key(number)) {
        operations.push(MapOp::RemovePool(*number));
    }
    let old_devices = current.devices.difference(&wanted.devices);
    operations.extend(old_devices.map(|interface| MapOp::RemoveDevice(*interface)));
    operations
}
