//! The maps of the simulation: the data path's tables in memory, changed by the agent's operations.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use lb_common::{Bucket, Limit, ListenerKey, Slot, Target};
use lb_ebpf::{
    Verdict,
    host::{MemoryTables, VecPacket},
};
use lb_plan::{MapModel, MapOp, MapStore, Tables};

use crate::{
    breaks::Break,
    flows::{SEED, Tuple},
    lead_breaks::LeadBreak,
};

/// A test that kills the agent made it fail.
#[derive(Debug, thiserror::Error)]
#[error("the agent was killed")]
pub(crate) struct Killed;

/// The maps, which outlive the agent.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) tables: MemoryTables,
    pub(crate) model: MapModel,
    pub(crate) now: u32,
    /// Operations until the agent is killed.
    pub(crate) kill_after: Option<usize>,
    pub(crate) budget_full: bool,
    pub(crate) broken: Option<Break>,
    /// A mistake with listeners that switch between groups.
    pub(crate) broken_lead: Option<LeadBreak>,
    /// The groups of listeners, by the listener's id, as such mistakes assume them.
    pub(crate) led_to: BTreeMap<u16, u16>,
    /// Ids of listeners that have to forward to their sorry group.
    pub(crate) sorry: BTreeSet<u16>,
}

/// The maps as the agent sees them.
#[derive(Clone, Debug)]
pub(crate) struct HostStore(pub(crate) Rc<RefCell<Host>>);

impl Host {
    pub(crate) fn new(broken: Option<Break>) -> Self {
        Self {
            tables: MemoryTables { seed: SEED, ..MemoryTables::default() },
            model: MapModel::default(),
            now: 0,
            kill_after: None,
            budget_full: false,
            broken,
            broken_lead: None,
            led_to: BTreeMap::new(),
            sorry: BTreeSet::new(),
        }
    }

    pub(crate) fn set_now(&mut self, now: u32) {
        self.now = now;
        self.tables.now.set(u64::from(now) * 1_000_000_000);
    }

    /// Takes the budget for new flows away, or gives it back.
    pub(crate) fn set_budget_full(&mut self, full: bool) {
        self.budget_full = full;
        let used_until = if full { u64::MAX / 2 } else { 0 };
        let mut buckets = self.tables.buckets.borrow_mut();
        buckets.insert(Limit::Remember as u32, Bucket { used_until });
    }

    /// The slot of a flow of the group, and the target that it belongs to when the slot is not armed.
    pub(crate) fn slot_of(&self, tuple: &Tuple) -> Option<(usize, Slot)> {
        let ring = self.tables.rings.values().next()?;
        let index = ring.slot_of(tuple.hash);
        Some((index, self.tables.slots.get(index)))
    }

    pub(crate) fn target(&self, id: u16) -> Option<&Target> {
        self.tables.targets.get(&id)
    }

    /// Sends a packet of a flow; gives the last two bytes of the address that it goes to.
    pub(crate) fn send(&mut self, tuple: &Tuple, syn: bool) -> Option<u16> {
        let undo = Break::before_packet(self, tuple, syn);
        let frame = if syn { &tuple.syn } else { &tuple.segment };
        let mut packet = VecPacket::new(frame, 1);
        let verdict = lb_ebpf::process(&mut packet, &self.tables);
        undo.after_packet(self);
        match (verdict, packet.bytes()) {
            // The outer destination.
            (Verdict::Redirect(_), head) => match head.get(30..34) {
                Some([10, 0, high, low]) => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            },
            _ => None,
        }
    }

    fn apply(&mut self, operation: &MapOp) {
        let broken = self.broken;
        let changed = broken.and_then(|broken| broken.operation(operation, &self.model));
        let operation = changed.as_ref().unwrap_or(operation);
        let changed = self.broken_lead.and_then(|broken| broken.operation(operation, self));
        let operation = changed.as_ref().unwrap_or(operation);
        self.model.apply(operation);
        let tables = &mut self.tables;
        match operation {
            MapOp::PutTarget { id, target, .. } => {
                tables.targets.insert(*id, *target);
            }
            MapOp::RemoveTarget { id, .. } => {
                tables.targets.remove(id);
            }
            MapOp::WriteSlots(slots) => {
                let mut seen = tables.memory.seen.borrow_mut();
                for (index, slot) in slots.iter() {
                    if slot.is_armed() {
                        seen.insert(index as usize, self.now);
                    }
                    tables.slots.insert(index as usize, slot);
                }
            }
            MapOp::PutGroup { id, ring, .. } => {
                tables.rings.insert(*id, *ring);
            }
            MapOp::PutListener { key, listener, .. } => {
                tables.listeners.insert(*key, *listener);
            }
            MapOp::PutVip(vip) => {
                tables.addresses.insert(*vip, 1);
            }
            MapOp::PutSwitches(switches) => tables.switches = *switches,
            MapOp::RemoveGroup(id) => {
                tables.rings.remove(id);
            }
            MapOp::RemoveListener(key) => {
                tables.listeners.remove(key);
            }
            MapOp::PutDevice(_) | MapOp::RemoveDevice(_) | MapOp::Quiesce => {}
            other => panic!("the simulation has no {other:?}"),
        }
    }
}

impl MapStore for HostStore {
    type Error = Killed;

    fn read(&self, _known: Option<&Tables>) -> Result<Tables, Killed> {
        Ok(self.0.borrow().model.tables())
    }

    fn seen(&self, slot: u32) -> u32 {
        self.0.borrow().tables.memory.seen.borrow().get(slot as usize)
    }

    /// One listener is not enough for a collision.
    fn first_overflow<'keys>(&self, _new: &'keys [ListenerKey]) -> Option<&'keys ListenerKey> {
        None
    }

    fn apply(&mut self, operation: &MapOp) -> Result<(), Killed> {
        let mut host = self.0.borrow_mut();
        match host.kill_after {
            Some(0) => Err(Killed),
            left => {
                host.kill_after = left.map(|left| left - 1);
                host.apply(operation);
                Ok(())
            }
        }
    }
}
