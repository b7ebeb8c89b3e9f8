//! The content of the pinned maps as a value, and the operations that change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::OrdMap;

use super::SlotWrites;
use lb_common::{
    Listener, ListenerKey, Pool, RingRef, Slot, Switches, Target, VipKey, WideKey, WideListeners,
};

/// What the maps hold, or should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Listeners by their exact address.
    pub listeners: BTreeMap<ListenerKey, Listener>,
    /// Every VIP of a listener.
    pub vips: BTreeSet<VipKey>,
    /// Listeners on port ranges and prefixes.
    pub wide: BTreeMap<WidePrefix, WideListeners>,
    /// Pools of modes nat and fullnat, by number.
    pub pools: BTreeMap<u8, Pool>,
    /// What is turned on.
    pub switches: Switches,
    /// Target groups by id (1 to `GROUPS_MAX - 1`).
    pub groups: BTreeMap<u16, GroupTable>,
    /// Targets by id (1 to `TARGETS_MAX - 1`); only those with [`Target::VALID`].
    /// Plans share those that they have in common.
    pub targets: OrdMap<u16, Target>,
    /// Ids of removed targets that a remembered flow may still name, and the second of the
    /// monotonic clock from which they may be reused.
    pub resting: BTreeMap<u16, u32>,
    /// Indices of the interfaces that packets may be redirected to.
    pub devices: BTreeSet<u32>,
}

impl Tables {
    /// The entries of all listeners; one on several ports or addresses may come more than once.
    pub fn all_listeners(&self) -> impl Iterator<Item = Listener> + '_ {
        let wide = self.wide.values().flat_map(|listeners| &listeners.ranges);
        let wide = wide.filter(|range| range.protocol != 0).map(|range| range.listener);
        self.listeners.values().copied().chain(wide)
    }
}

/// A prefix of addresses, as the map of wide listeners has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WidePrefix {
    /// Bits of `key` that count: [`WideKey::FAMILY_BITS`] and those of the address.
    pub length: u32,
    /// Family and address.
    pub key: WideKey,
}

/// One target group.
#[derive(Clone, Debug, Eq)]
pub struct GroupTable {
    /// Its name.
    pub name: Arc<str>,
    /// Position of its ring; [`RingRef::NONE`] for a group without a ring.
    pub ring: RingRef,
    /// The slots of its ring: `ring.len()` of them.
    pub slots: Arc<[Slot]>,
}

impl PartialEq for GroupTable {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.ring == other.ring && same_slots(&self.slots, &other.slots)
    }
}

/// Whether these are the same slots: as bytes, since rings are long.
pub(super) fn same_slots(one: &Arc<[Slot]>, other: &Arc<[Slot]>) -> bool {
    let bytes = bytemuck::cast_slice::<Slot, u8>;
    Arc::ptr_eq(one, other) || bytes(one) == bytes(other)
}

/// One step towards other maps. Each is atomic for packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapOp {
    /// Lets packets leave by an interface.
    PutDevice(u32),
    /// Forgets an interface.
    RemoveDevice(u32),
    /// Writes a target.
    PutTarget {
        /// Its id.
        id: u16,
        /// The entry.
        target: Target,
        /// The id was free: its counters start at zero.
        fresh: bool,
    },
    /// Removes a target. Its id rests until this second of the monotonic clock; 0 is no rest.
    RemoveTarget {
        /// Its id.
        id: u16,
        /// When it may be given to another target.
        until: u32,
    },
    /// Writes slots, each at its index in [`lb_common::ring::Rings`]. Those that are armed count as
    /// having seen an exception now, before they are written.
    WriteSlots(SlotWrites),
    /// Names a group and points it at its ring (one store for the ring).
    PutGroup {
        /// Its id.
        id: u16,
        /// Its name.
        name: Arc<str>,
        /// Its ring.
        ring: RingRef,
    },
    /// Frees a group's id.
    RemoveGroup(u16),
    /// Writes a listener.
    PutListener {
        /// Its key.
        key: ListenerKey,
        /// The entry.
        listener: Listener,
        /// The id was free: its counters start at zero.
        fresh: bool,
    },
    /// Removes a listener.
    RemoveListener(ListenerKey),
    /// Adds a VIP.
    PutVip(VipKey),
    /// Removes a VIP.
    RemoveVip(VipKey),
    /// Writes the listeners of a prefix.
    PutWide {
        /// The prefix.
        prefix: WidePrefix,
        /// Its listeners.
        listeners: WideListeners,
        /// Listener ids that were free: their counters start at zero.
        fresh: Vec<u16>,
    },
    /// Removes the listeners of a prefix.
    RemoveWide(WidePrefix),
    /// Makes a pool and its bindings.
    PutPool {
        /// Its number.
        number: u8,
        /// The pool.
        pool: Pool,
    },
    /// Removes a pool and ends its flows.
    RemovePool(u8),
    /// Turns things on and off.
    PutSwitches(Switches),
    /// Waits until no packet can still read what earlier operations replaced or removed.
    Quiesce,
}
