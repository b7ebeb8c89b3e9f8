//! The maps as flat arrays and hashes, in memory: what the fake store holds and tests reason with.
//!
//! It says what each [`MapOp`] does to the maps. It deliberately knows nothing of packets in
//! flight, of double versions of targets, or of the kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::OrdMap;
use lb_common::{
    Listener, ListenerKey, Pool, RingRef, Slot, Switches, Target, VipKey, WideListeners,
    limits::RING_SLOTS_MAX,
};

use super::{GroupTable, MapOp, SlotWrites, Tables, WidePrefix, is_transition};

/// The content of the maps, also of what nothing points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapModel {
    /// Listeners by key.
    pub listeners: BTreeMap<ListenerKey, Listener>,
    /// VIPs.
    pub vips: BTreeSet<VipKey>,
    /// Name and ring of each group.
    pub groups: BTreeMap<u16, (Arc<str>, RingRef)>,
    /// Targets by id.
    pub targets: OrdMap<u16, Target>,
    /// Ids of removed targets that must not be reused yet.
    pub resting: BTreeMap<u16, u32>,
    /// Interfaces.
    pub devices: BTreeSet<u32>,
    /// Listeners on port ranges and prefixes.
    pub wide: BTreeMap<WidePrefix, WideListeners>,
    /// Pools of modes nat and fullnat, by number.
    pub pools: BTreeMap<u8, Pool>,
    /// What is turned on.
    pub switches: Switches,
    /// The slots of all rings, up to the last one ever written; those behind it are zero.
    pub slots: Vec<Slot>,
}

impl MapModel {
    /// Does what an operation does. Slots outside of the array are left out, as there is nothing
    /// to write to.
    pub fn apply(&mut self, operation: &MapOp) {
        match operation {
            MapOp::PutDevice(interface) => {
                self.devices.insert(*interface);
            }
            MapOp::RemoveDevice(interface) => {
                self.devices.remove(interface);
            }
            MapOp::PutTarget { id, target, .. } => {
                self.targets.insert(*id, *target);
                self.resting.remove(id);
            }
            MapOp::RemoveTarget { id, until } => {
                self.targets.remove(id);
                self.resting.remove(id);
                if *until != 0 {
                    self.resting.insert(*id, *until);
                }
            }
            MapOp::WriteSlots(slots) => self.write(slots),
            MapOp::PutGroup { id, name, ring } => {
                self.groups.insert(*id, (name.clone(), *ring));
            }
            MapOp::RemoveGroup(id) => {
                self.groups.remove(id);
            }
            MapOp::PutListener { key, listener, .. } => {
                self.listeners.insert(*key, *listener);
            }
            MapOp::RemoveListener(key) => {
                self.listeners.remove(key);
            }
            MapOp::PutVip(vip) => {
                self.vips.insert(*vip);
            }
            MapOp::RemoveVip(vip) => {
                self.vips.remove(vip);
            }
            MapOp::PutWide { prefix, listeners, .. } => {
                self.wide.insert(*prefix, *listeners);
            }
            MapOp::RemoveWide(prefix) => {
                self.wide.remove(prefix);
            }
            MapOp::PutPool { number, pool } => {
                self.pools.insert(*number, *pool);
            }
            MapOp::RemovePool(number) => {
                self.pools.remove(number);
            }
            MapOp::PutSwitches(switches) => self.switches = *switches,
            MapOp::Quiesce => {}
        }
    }

    /// Writes slots, each at its index.
    pub fn write(&mut self, slots: &SlotWrites) {
        let end = slots.iter().map(|(index, _)| index as usize + 1).max();
        let end = end.unwrap_or(0).min(RING_SLOTS_MAX);
        if self.slots.len() < end {
            self.slots.resize(end, Slot::default());
        }
        for (index, slot) in slots.iter() {
            if let Some(place) = self.slots.get_mut(index as usize) {
                *place = slot;
            }
        }
    }

    /// The slots of a ring.
    #[must_use]
    pub fn ring(&self, ring: RingRef) -> Arc<[Slot]> {
        let base = ring.base() as usize;
        (base..base + ring.len())
            .map(|index| self.slots.get(index).copied().unwrap_or_default())
            .collect()
    }

    /// Everything, as a store reads it back.
    #[must_use]
    pub fn tables(&self) -> Tables {
        let groups = self.groups.iter().map(|(id, (name, ring))| {
            let table = GroupTable { name: name.clone(), ring: *ring, slots: self.ring(*ring) };
            (*id, table)
        });
        Tables {
            listeners: self.listeners.clone(),
            vips: self.vips.clone(),
            groups: groups.collect(),
            targets: self.targets.clone(),
            resting: self.resting.clone(),
            devices: self.devices.clone(),
            wide: self.wide.clone(),
            pools: self.pools.clone(),
            switches: self.switches,
        }
    }
}

impl From<&Tables> for MapModel {
    fn from(tables: &Tables) -> Self {
        let mut model = Self {
            listeners: tables.listeners.clone(),
            vips: tables.vips.clone(),
            groups: BTreeMap::new(),
            targets: tables.targets.clone(),
            resting: tables.resting.clone(),
            devices: tables.devices.clone(),
            wide: tables.wide.clone(),
            pools: tables.pools.clone(),
            switches: tables.switches,
            slots: Vec::new(),
        };
        for (id, group) in &tables.groups {
            let slots = Arc::clone(&group.slots);
            model.write(&SlotWrites::Ring { base: group.ring.base(), slots });
            model.groups.insert(*id, (group.name.clone(), group.ring));
        }
        model
    }
}

/// What is wrong with tables that packets may read right now, one text each; empty is well.
///
/// Every state between two operations of a plan passes, not only the last one.
#[must_use]
pub fn faults(tables: &Tables) -> Vec<String> {
    let mut faults = Vec::new();
    for (key, listener) in &tables.listeners {
        if !tables.groups.contains_key(&listener.group) {
            faults.push(format!("listener {key:?} has the missing group {}", listener.group));
        }
        if !tables.vips.contains(&key.vip()) {
            faults.push(format!("listener {key:?} has no VIP entry"));
        }
    }
    for (prefix, wide) in &tables.wide {
        for range in wide.ranges.iter().filter(|range| range.protocol != 0) {
            if !tables.groups.contains_key(&range.listener.group) {
                faults.push(format!("{range:?} of {prefix:?} has a missing group"));
            }
        }
    }
    for (id, group) in &tables.groups {
        let mut owners: BTreeSet<u16> = BTreeSet::new();
        let mut last = 0;
        for slot in group.slots.iter() {
            if slot.current != last || slot.home != last {
                owners.extend([slot.current, slot.home]);
                last = slot.current;
            }
        }
        owners.remove(&0);
        for owner in owners {
            match tables.targets.get(&owner) {
                None => {
                    faults.push(format!("a slot of {} has the missing target {owner}", group.name));
                }
                Some(target)
                    if !target.is_valid() || target.group != *id && !is_transition(&group.name) =>
                {
                    faults.push(format!(
                        "a slot of {} has target {owner}, which is not its own",
                        group.name
                    ));
                }
                Some(_) => {}
            }
        }
        if group.slots.len() != group.ring.len() {
            faults.push(format!(
                "group {} has {} slots in {:?}",
                group.name,
                group.slots.len(),
                group.ring
            ));
        }
    }
    for (id, target) in &tables.targets {
        if target.is_resolved() && !tables.devices.contains(&target.interface) {
            faults
                .push(format!("target {id} leaves by the missing interface {}", target.interface));
        }
    }
    faults
}
