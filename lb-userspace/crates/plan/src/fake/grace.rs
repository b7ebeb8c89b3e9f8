//! Objects that packets in flight may still use, and operations that would remove them too early.
//!
//! Until the next [`MapOp::Quiesce`], a packet that has looked up a listener may still read its old
//! group, one that has a group its old ring, and one that has a slot its old target.

use std::collections::{BTreeMap, BTreeSet};

use crate::{MapModel, MapOp, SlotWrites};
use lb_common::{Listener, ListenerKey, RingRef, Target};

/// Objects that were referenced since the last grace period, and are not any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Grace {
    listeners: BTreeSet<u16>,
    groups: BTreeSet<u16>,
    rings: Vec<RingRef>,
    targets: BTreeSet<u16>,
    devices: BTreeSet<u32>,
}

impl Grace {
    /// Notes what an operation is about to unlink from the maps; gives back the harm that it does.
    pub(super) fn step(&mut self, model: &MapModel, operation: &MapOp) -> Vec<String> {
        let mut harm = Vec::new();
        match operation {
            MapOp::WriteSlots(slots) => self.write(model, slots, &mut harm),
            MapOp::PutGroup { id, ring, .. } => {
                let before = model.groups.get(id).map(|(_, ring)| *ring);
                if let Some(before) = before.filter(|before| before != ring) {
                    self.leave(model, *id, before);
                }
            }
            MapOp::RemoveGroup(id) if self.reaches_group(model, *id) => {
                harm.push(format!("group {id} goes while packets may still use it"));
            }
            MapOp::PutTarget { id, target, fresh } => {
                self.put_target(model, *id, target, *fresh, &mut harm);
            }
            MapOp::RemoveTarget { id, .. } => {
                if self.reaches_target(model, *id) {
                    harm.push(format!("target {id} goes while packets may still use it"));
                }
            }
            MapOp::RemoveDevice(interface) if self.devices.contains(interface) => {
                harm.push(format!("interface {interface} goes while packets may still use it"));
            }
            MapOp::PutListener { key, listener, fresh } => {
                self.put_listener(model, key, *listener, *fresh, &mut harm);
            }
            MapOp::RemoveListener(key) => {
                if let Some(before) = model.listeners.get(key) {
                    self.listeners.insert(before.id);
                    self.groups.insert(before.group);
                }
            }
            MapOp::Quiesce => *self = Self::default(),
            MapOp::RemoveGroup(_)
            | MapOp::RemoveDevice(_)
            | MapOp::PutDevice(_)
            | MapOp::PutVip(_)
            | MapOp::RemoveVip(_)
            | MapOp::PutWide { .. }
            | MapOp::RemoveWide(_)
            | MapOp::PutPool { .. }
            | MapOp::RemovePool(_)
            | MapOp::PutSwitches(_) => {}
        }
        harm
    }

    fn put_target(
        &mut self,
        model: &MapModel,
        id: u16,
        target: &Target,
        fresh: bool,
        harm: &mut Vec<String>,
    ) {
        let before = model.targets.get(&id);
        if fresh != before.is_none() {
            harm.push(format!("target {id} is put with fresh {fresh}, which is wrong"));
        }
        if before.is_none() && self.reaches_target(model, id) {
            harm.push(format!("target id {id} is given out too early"));
        }
        if let Some(before) = before.filter(|before| before.is_resolved())
            && (!target.is_resolved() || target.interface != before.interface)
        {
            self.devices.insert(before.interface);
        }
    }

    fn put_listener(
        &mut self,
        model: &MapModel,
        key: &ListenerKey,
        listener: Listener,
        fresh: bool,
        harm: &mut Vec<String>,
    ) {
        if fresh && self.listeners.contains(&listener.id) {
            harm.push(format!("listener id {} is given out too early", listener.id));
        }
        let mut others = model.listeners.iter().filter(|(other, _)| *other != key);
        if others.any(|(_, other)| other.id == listener.id) {
            harm.push(format!("listener id {} is given out twice", listener.id));
        }
        let before = model.listeners.get(key);
        if let Some(before) = before.filter(|before| before.group != listener.group) {
            self.groups.insert(before.group);
        }
    }

    fn write(&mut self, model: &MapModel, slots: &SlotWrites, harm: &mut Vec<String>) {
        let live = spans(model.groups.values().map(|(_, ring)| *ring));
        let left = spans(self.rings.iter().copied());
        let mut clashes = 0;
        for (index, slot) in slots.iter() {
            if covers(&live, index) {
                let before = model.slots.get(index as usize).copied().unwrap_or_default();
                if before.current != slot.current {
                    self.targets.insert(before.current);
                }
                if before.home != slot.home {
                    self.targets.insert(before.home);
                }
            } else if covers(&left, index) {
                clashes += 1;
            }
        }
        if clashes > 0 {
            harm.push(format!("{clashes} slots are reused while packets may still read them"));
        }
    }

    /// A group that packets may be using leaves its ring.
    fn leave(&mut self, model: &MapModel, group: u16, ring: RingRef) {
        if self.reaches_group(model, group) {
            self.rings.push(ring);
            self.targets.extend(model.ring(ring).iter().map(|slot| slot.current));
        }
    }

    fn reaches_group(&self, model: &MapModel, id: u16) -> bool {
        self.groups.contains(&id) || model.listeners.values().any(|listener| listener.group == id)
    }

    /// Whether a packet in flight may use a target that no current slot names. (That a current one
    /// does is a fault of the tables, and theirs to find.)
    fn reaches_target(&self, model: &MapModel, id: u16) -> bool {
        let previous = self.groups.iter().filter_map(|group| model.groups.get(group));
        self.targets.contains(&id)
            || previous
                .flat_map(|(_, ring)| model.ring(*ring).to_vec())
                .any(|slot| slot.current == id)
    }
}

/// First slot and end of each ring.
fn spans(rings: impl Iterator<Item = RingRef>) -> BTreeMap<u32, usize> {
    let rings = rings.filter(|ring| !ring.is_none());
    rings.map(|ring| (ring.base(), ring.base() as usize + ring.len())).collect()
}

fn covers(spans: &BTreeMap<u32, usize>, index: u32) -> bool {
    let below = spans.range(..=index).next_back();
    below.is_some_and(|(_, end)| (index as usize) < *end)
}
