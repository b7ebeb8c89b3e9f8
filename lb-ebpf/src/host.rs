//! The outside for tests, fuzzing and `explain`: a packet in a vector and tables in memory.
//!
//! It is the host's stand-in for `kernel/`; nothing of it is in the BPF program.
extern crate std;

use std::{cell::RefCell, collections::BTreeMap, vec, vec::Vec};

use lb_common::{
    Listener, ListenerKey, RingRef, Slot, Target, Traffic, VipKey, counter::COUNTERS_MAX,
    limits::RING_SLOTS_MAX,
};

use crate::{
    Packet, Tables, Wire,
    packet::HeadroomExhausted,
    tables::{Count, DecapTables},
};

/// Room that drivers leave in front of a packet (`XDP_PACKET_HEADROOM`).
pub const HEADROOM: usize = 256;

/// What the kernel keeps of the headroom for itself (`struct xdp_frame`).
pub const HEADROOM_RESERVED: usize = 40;

/// A packet with headroom.
#[derive(Clone, Debug)]
pub struct VecPacket {
    /// Words, so that the frame lies at an even address.
    buffer: Vec<u16>,
    head: usize,
    end: usize,
    ingress: u32,
}

impl VecPacket {
    /// The frame, as it came in by an interface.
    #[must_use]
    pub fn new(frame: &[u8], ingress: u32) -> Self {
        let end = HEADROOM + frame.len();
        let mut buffer = vec![0; end.div_ceil(2)];
        if let Some(room) = bytemuck::cast_slice_mut(&mut buffer).get_mut(HEADROOM..end) {
            room.copy_from_slice(frame);
        }
        Self { buffer, head: HEADROOM, end, ingress }
    }

    /// The frame as it is now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.buffer).get(self.head..self.end).unwrap_or_default()
    }
}

impl Packet for VecPacket {
    fn len(&self) -> usize {
        self.bytes().len()
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn get<T: Wire>(&self, offset: usize) -> Option<&T> {
        let end = offset.checked_add(T::LEN)?;
        bytemuck::try_from_bytes(self.bytes().get(offset..end)?).ok()
    }

    fn get_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T> {
        let end = offset.checked_add(T::LEN)?;
        let bytes = bytemuck::cast_slice_mut(&mut self.buffer).get_mut(self.head..self.end)?;
        bytemuck::try_from_bytes_mut(bytes.get_mut(offset..end)?).ok()
    }

    fn grow_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        let head = self.head.checked_sub(bytes).ok_or(HeadroomExhausted)?;
        if head < HEADROOM_RESERVED {
            return Err(HeadroomExhausted);
        }
        self.head = head;
        Ok(())
    }

    fn shrink_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        // The kernel keeps at least an Ethernet header (bpf_xdp_adjust_head).
        if self.len() < bytes + 14 {
            return Err(HeadroomExhausted);
        }
        self.head += bytes;
        Ok(())
    }
}

/// Tables in memory, counters included.
#[derive(Clone, Debug, Default)]
pub struct MemoryTables {
    /// Listeners.
    pub listeners: BTreeMap<ListenerKey, Listener>,
    /// VIPs; for the decapsulator, the host's own addresses.
    pub addresses: BTreeMap<VipKey, u32>,
    /// Rings of the groups, by group id.
    pub rings: BTreeMap<u16, RingRef>,
    /// Slots, by index; a missing one has no owner.
    pub slots: BTreeMap<usize, Slot>,
    /// Targets, by id.
    pub targets: BTreeMap<u16, Target>,
    /// Key of the flow hash.
    pub seed: [u64; 2],
    /// Counters, by index.
    pub counters: RefCell<BTreeMap<u32, u64>>,
    /// Traffic of listeners, by id.
    pub listener_traffic: RefCell<BTreeMap<u16, Traffic>>,
    /// Traffic of targets, by id.
    pub target_traffic: RefCell<BTreeMap<u16, Traffic>>,
}

fn add(traffic: &RefCell<BTreeMap<u16, Traffic>>, id: u16, bytes: u64) {
    let mut traffic = traffic.borrow_mut();
    let entry = traffic.entry(id).or_default();
    entry.packets += 1;
    entry.bytes += bytes;
}

impl Count for MemoryTables {
    fn count(&self, index: u32) {
        debug_assert!((index as usize) < COUNTERS_MAX);
        *self.counters.borrow_mut().entry(index).or_default() += 1;
    }
}

impl Tables for MemoryTables {
    fn listener(&self, key: &ListenerKey) -> Option<Listener> {
        self.listeners.get(key).copied()
    }

    fn is_vip(&self, key: &VipKey) -> bool {
        self.addresses.contains_key(key)
    }

    fn ring(&self, group: u16) -> RingRef {
        self.rings.get(&group).copied().unwrap_or(RingRef::NONE)
    }

    fn slot(&self, index: usize) -> Slot {
        debug_assert!(index < RING_SLOTS_MAX);
        self.slots.get(&index).copied().unwrap_or_default()
    }

    fn target(&self, id: u16) -> Option<&Target> {
        self.targets.get(&id).filter(|target| target.is_valid())
    }

    fn hash_seed(&self) -> [u64; 2] {
        self.seed
    }

    fn count_listener(&self, id: u16, bytes: u64) {
        add(&self.listener_traffic, id, bytes);
    }

    fn count_target(&self, id: u16, bytes: u64) {
        add(&self.target_traffic, id, bytes);
    }
}

impl DecapTables for MemoryTables {
    fn is_local(&self, key: &VipKey) -> bool {
        self.addresses.contains_key(key)
    }
}
