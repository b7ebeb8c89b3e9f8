//! The outside for tests, fuzzing and `explain`: a packet in a vector and tables in memory.
//!
//! It replaces `kernel/` on the host; the BPF program does not contain it.
mod array;
mod memory;
mod nat;
mod packet;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

pub use array::Array;
use lb_common::{
    Be16, Bucket, Family, FragmentFlow, FragmentKey, InterfaceMacs, Limit, Listener, ListenerKey,
    RingRef, RingSlot, Slot, Switches, Target, Traffic, VipKey, WideKey, WideListeners,
    counter::COUNTERS_MAX, limits::RING_SLOTS_MAX,
};
pub use memory::HostMemory;
pub use nat::NatMemory;
pub use packet::{HEADROOM, HEADROOM_RESERVED, VecPacket};

use crate::{
    Datagram, Packet, Stages, Step, Tables, Verdict, flow_hash, limiter,
    nat::{create::Chosen, life::Direction},
    question::{Answer, Question},
    recall, stage,
    tables::{Count, DecapTables},
};

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
    pub slots: Array<Slot>,
    /// Targets, by id.
    pub targets: BTreeMap<u16, Target>,
    /// MAC addresses of interfaces; one that is missing takes every frame.
    pub macs: BTreeMap<u32, InterfaceMacs>,
    /// Seed of the flow hash.
    pub seed: [u64; 2],
    /// Counters, by index.
    pub counters: RefCell<BTreeMap<u32, u64>>,
    /// Traffic of listeners, by id.
    pub listener_traffic: RefCell<BTreeMap<u16, Traffic>>,
    /// Traffic of targets, by id.
    pub target_traffic: RefCell<BTreeMap<u16, Traffic>>,
    /// Listeners on port ranges and prefixes, by prefix length (that of the key) and key.
    pub wide_listeners: BTreeMap<(u32, WideKey), WideListeners>,
    /// Switches of features.
    pub switches: Switches,
    /// What has been sent of what is limited.
    pub buckets: RefCell<BTreeMap<u32, Bucket>>,
    /// The monotonic clock, in nanoseconds.
    pub now: Cell<u64>,
    /// First fragments.
    pub fragments: RefCell<BTreeMap<FragmentKey, FragmentFlow>>,
    /// What modes nat and fullnat remember.
    pub nat: NatMemory,
    /// What is remembered of flows.
    pub memory: HostMemory,
    /// For the decapsulator: allowed sources of tunnel packets, by prefix length; not checked if
    /// empty.
    pub sources: BTreeSet<(u32, WideKey)>,
    /// For the decapsulator: the VIPs of the host, by prefix length.
    pub vips: BTreeSet<(u32, WideKey)>,
    /// For the decapsulator: the UDP port of GUE.
    pub gue_port: Be16,
}

/// Whether the first `length` bits of two keys are the same.
fn same_prefix(length: u32, one: &WideKey, other: &WideKey) -> bool {
    let bit = |key: &WideKey, number: u32| {
        let byte = bytemuck::bytes_of(key).get(number as usize / 8).copied().unwrap_or(0);
        byte >> (7 - number % 8) & 1
    };
    (0..length).all(|number| bit(one, number) == bit(other, number))
}

/// Whether an address is in any of these prefixes.
fn is_within(key: &VipKey, prefixes: &BTreeSet<(u32, WideKey)>) -> bool {
    let within = |key| prefixes.iter().any(|(length, prefix)| same_prefix(*length, prefix, &key));
    wide_key(key).is_some_and(within)
}

impl MemoryTables {
    /// The entry with the longest prefix.
    fn wide(&self, key: &VipKey) -> Option<&WideListeners> {
        let key = wide_key(key)?;
        let mut entries = self.wide_listeners.iter().rev();
        entries.find(|((length, prefix), _)| same_prefix(*length, prefix, &key)).map(|(_, all)| all)
    }
}

fn wide_key(key: &VipKey) -> Option<WideKey> {
    let family = Family::try_from(u8::try_from(key.family).ok()?).ok()?;
    Some(WideKey::new(family, key.address))
}

fn add(counted: &RefCell<BTreeMap<u16, Traffic>>, id: u16, traffic: Traffic) {
    counted.borrow_mut().entry(id).or_default().add(traffic);
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

    fn wide_listener(&self, key: &VipKey, protocol: u8, port: u16) -> Option<Listener> {
        self.wide(key)?.listener(protocol, port)
    }

    fn is_wide_vip(&self, key: &VipKey) -> bool {
        self.wide(key).is_some()
    }

    fn switches(&self) -> Switches {
        self.switches
    }

    fn allowed(&self, limit: Limit) -> bool {
        let mut buckets = self.buckets.borrow_mut();
        let bucket = buckets.entry(limit as u32).or_default();
        limiter::take(bucket, self.now.get(), limiter::rate(limit, self.switches.icmp_rate))
    }

    fn now(&self) -> u64 {
        self.now.get()
    }

    fn fragment(&self, key: &FragmentKey) -> Option<FragmentFlow> {
        self.fragments.borrow().get(key).copied()
    }

    fn learn_fragment(&self, key: &FragmentKey, flow: &FragmentFlow) {
        self.fragments.borrow_mut().insert(*key, *flow);
    }

    fn takes(&self, interface: u32, mac: u64) -> bool {
        self.macs.get(&interface).is_none_or(|macs| macs.takes(mac))
    }

    fn ring(&self, group: u16) -> RingRef {
        self.rings.get(&group).copied().unwrap_or(RingRef::NONE)
    }

    fn owner(&self, index: usize) -> RingSlot {
        debug_assert!(index < RING_SLOTS_MAX);
        self.slots.get(index).in_ring()
    }

    fn armed(&self, index: usize) -> Slot {
        self.slots.get(index)
    }

    fn target(&self, id: u16) -> Option<&Target> {
        self.targets.get(&id).filter(|target| target.is_valid())
    }

    fn recall(&self, asked: &Question) -> Answer {
        recall::answer(asked, self)
    }

    fn hash_key(&self, index: usize) -> u64 {
        flow_hash::key(self.seed, index)
    }

    fn count_listener(&self, id: u16, traffic: Traffic) {
        add(&self.listener_traffic, id, traffic);
    }

    fn count_target(&self, id: u16, traffic: Traffic) {
        add(&self.target_traffic, id, traffic);
    }
}

/// Here every stage is a call.
impl<P: Packet> Stages<P> for MemoryTables {
    fn plain(&self, packet: &mut P) -> Step {
        stage::plain(packet, self)
    }

    fn rest(&self, packet: &mut P, first: Step) -> Verdict {
        crate::process_rest(packet, first, self)
    }

    fn translate(&self, packet: &mut P) -> Verdict {
        crate::process_translated(packet, self)
    }

    fn balance(&self, packet: &mut P) -> Step {
        stage::balance(packet, self)
    }

    fn read(&self, packet: &mut P, flow: &mut Datagram) -> Step {
        stage::read(packet, flow, self)
    }

    fn deliver(&self, packet: &mut P, flow: &Datagram) -> Step {
        stage::deliver(packet, flow, self)
    }

    fn translate_plain(&self, packet: &mut P) -> Step {
        stage::translate_plain(packet, self)
    }

    fn request(&self, _packet: &mut P, flow: &Datagram) -> Step {
        stage::request(flow, self)
    }

    fn choose(&self, _packet: &mut P, flow: &Datagram) -> Step {
        stage::choose(flow, self)
    }

    fn bind(&self, packet: &mut P, flow: &Datagram, chosen: Chosen) -> Step {
        stage::bind(packet, flow, chosen, self)
    }

    fn expire(&self, _packet: &mut P, now: u32) {
        stage::expire(now, self);
    }

    fn reply(&self, packet: &mut P, flow: &Datagram) -> Step {
        stage::reply(packet, flow, self)
    }

    fn write(
        &self,
        packet: &mut P,
        flow: &Datagram,
        index: u32,
        direction: Direction,
        listener: u16,
    ) -> Step {
        stage::write(packet, flow, index, direction, listener, self)
    }

    fn exhausted(&self) -> Step {
        stage::exhausted(self)
    }

    fn too_big(&self, packet: &mut P, room: u16) -> Verdict {
        stage::too_big(packet, room, self)
    }

    fn reset(&self, packet: &mut P) -> Verdict {
        stage::reset(packet, self)
    }

    fn echo(&self, packet: &mut P) -> Verdict {
        stage::echo(packet, self)
    }

    fn clamp(&self, packet: &mut P, offset: u32, mss: u16) {
        stage::clamp(packet, offset, mss);
    }
}

impl DecapTables for MemoryTables {
    fn is_local(&self, key: &VipKey) -> bool {
        self.addresses.contains_key(key)
    }

    fn is_allowed(&self, key: &VipKey) -> bool {
        self.sources.is_empty() || is_within(key, &self.sources)
    }

    fn may_receive(&self, key: &VipKey) -> bool {
        is_within(key, &self.vips)
    }

    fn gue_port(&self) -> Be16 {
        self.gue_port
    }
}
