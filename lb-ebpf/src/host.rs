//! The outside for tests, fuzzing and `explain`: a packet in a vector and tables in memory.
//!
//! It is the host's stand-in for `kernel/`; nothing of it is in the BPF program.
extern crate std;

use std::{
    boxed::Box,
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec,
    vec::Vec,
};

use lb_common::{
    Be16, Binding, Bucket, Family, FlowLine, FragmentFlow, FragmentKey, Limit, Listener,
    ListenerKey, Pool, RingRef, Slot, Switches, Target, Traffic, VipKey, WideKey, WideListeners,
    counter::COUNTERS_MAX,
    limits::RING_SLOTS_MAX,
    nat::{BINDINGS_MAX, FLOW_LINES, FLOW_WORDS, Queue},
};

use crate::{
    Datagram, Packet, Stages, Step, Tables, Verdict, Wire, limiter,
    nat::{NatTables, life::Direction},
    packet::HeadroomExhausted,
    stage,
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
    /// MTU of every interface.
    mtu: u16,
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
        Self { buffer, head: HEADROOM, end, ingress, mtu: u16::MAX }
    }

    /// The same, where every interface has this MTU.
    #[must_use]
    pub const fn with_mtu(mut self, mtu: u16) -> Self {
        self.mtu = mtu;
        self
    }

    /// The frame as it is now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.buffer).get(self.head..self.end).unwrap_or_default()
    }
}

impl Packet for VecPacket {
    fn holds(&self, length: usize) -> bool {
        self.bytes().len() >= length
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

    fn fits_interface(&self, _interface: u32, length: u16) -> Result<(), u16> {
        if length <= self.mtu { Ok(()) } else { Err(self.mtu) }
    }

    fn shrink_tail(&mut self, length: usize) -> Result<(), HeadroomExhausted> {
        if self.bytes().len() < length || length < 14 {
            return Err(HeadroomExhausted);
        }
        self.end = self.head + length;
        Ok(())
    }

    fn shrink_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        // The kernel keeps at least an Ethernet header (bpf_xdp_adjust_head).
        if self.bytes().len() < bytes + 14 {
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
    /// Listeners on port ranges and prefixes, by prefix length (that of the key) and key.
    pub wide_listeners: BTreeMap<(u32, WideKey), WideListeners>,
    /// What is turned on.
    pub switches: Switches,
    /// What has been sent of what is limited.
    pub buckets: RefCell<BTreeMap<u32, Bucket>>,
    /// The monotonic clock, in nanoseconds.
    pub now: Cell<u64>,
    /// First fragments.
    pub fragments: RefCell<BTreeMap<FragmentKey, FragmentFlow>>,
    /// What modes nat and fullnat remember.
    pub nat: NatMemory,
    /// For the decapsulator: who may send tunnel packets, by prefix length; nobody asks when empty.
    pub sources: BTreeSet<(u32, WideKey)>,
    /// For the decapsulator: the UDP port of GUE.
    pub gue_port: Be16,
}

/// What modes nat and fullnat remember, in memory. What is replaced is leaked: others may still read
/// it, as they may in the kernel.
#[derive(Clone, Debug, Default)]
pub struct NatMemory {
    /// Pools, by number.
    pub pools: BTreeMap<usize, Pool>,
    /// Bindings, by index; the others are all zero.
    pub bindings: RefCell<BTreeMap<u32, &'static Binding>>,
    /// Their lives.
    pub lives: RefCell<BTreeMap<u32, u64>>,
    /// Lines of the flow table that are not empty.
    pub lines: RefCell<BTreeMap<u32, &'static FlowLine>>,
    /// Free bindings.
    pub queues: RefCell<BTreeMap<Queue, VecDeque<u32>>>,
    /// Where the next look at each pool starts.
    pub hands: RefCell<BTreeMap<usize, u32>>,
}

impl NatMemory {
    /// Adds a pool and its bindings, as the agent does.
    pub fn add_pool(&mut self, number: usize, pool: Pool) {
        let mut queues = self.queues.borrow_mut();
        for offset in 0..pool.count {
            let index = pool.first + offset;
            let binding = pool.binding(u8::try_from(number).unwrap_or(u8::MAX), offset);
            self.bindings.borrow_mut().insert(index, Box::leak(Box::new(binding)));
            queues.entry(pool.queue()).or_default().push_back(index);
        }
        drop(queues);
        self.pools.insert(number, pool);
    }
}

/// Whether the first `length` bits of two keys are the same.
fn same_prefix(length: u32, one: &WideKey, other: &WideKey) -> bool {
    let bit = |key: &WideKey, number: u32| {
        let byte = bytemuck::bytes_of(key).get(number as usize / 8).copied().unwrap_or(0);
        byte >> (7 - number % 8) & 1
    };
    (0..length).all(|number| bit(one, number) == bit(other, number))
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
        limiter::take(bucket, self.now.get(), self.switches.icmp_rate)
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

static UNUSED: Binding = Binding::EMPTY;
static EMPTY: FlowLine = FlowLine { words: [0; FLOW_WORDS] };

impl NatTables for MemoryTables {
    fn pool(&self, number: usize) -> Pool {
        self.nat.pools.get(&number).copied().unwrap_or_default()
    }

    fn binding(&self, index: u32) -> Option<&Binding> {
        let inside = (index as usize) < BINDINGS_MAX;
        inside.then(|| self.nat.bindings.borrow().get(&index).copied().unwrap_or(&UNUSED))
    }

    fn write_binding(&self, index: u32, binding: &Binding) {
        debug_assert!((index as usize) < BINDINGS_MAX);
        self.nat.bindings.borrow_mut().insert(index, Box::leak(Box::new(*binding)));
    }

    fn life(&self, index: u32) -> u64 {
        self.nat.lives.borrow().get(&index).copied().unwrap_or(0)
    }

    fn swap_life(&self, index: u32, old: u64, new: u64) -> bool {
        let same = self.life(index) == old;
        if same {
            self.nat.lives.borrow_mut().insert(index, new);
        }
        same
    }

    fn flow_line(&self, line: u32) -> Option<&FlowLine> {
        let inside = (line as usize) < FLOW_LINES;
        inside.then(|| self.nat.lines.borrow().get(&line).copied().unwrap_or(&EMPTY))
    }

    fn swap_flow_word(&self, line: u32, word: u32, old: u64, new: u64) -> bool {
        let Some(mut changed) = self.flow_line(line).copied() else {
            return false;
        };
        match changed.words.get_mut(word as usize) {
            Some(place) if *place == old => *place = new,
            _ => return false,
        }
        self.nat.lines.borrow_mut().insert(line, Box::leak(Box::new(changed)));
        true
    }

    fn take_free(&self, queue: Queue) -> Option<u32> {
        self.nat.queues.borrow_mut().get_mut(&queue)?.pop_front()
    }

    fn give_back(&self, queue: Queue, index: u32) {
        self.nat.queues.borrow_mut().entry(queue).or_default().push_back(index);
    }

    fn advance(&self, pool: usize, steps: u32) -> u32 {
        let mut hands = self.nat.hands.borrow_mut();
        let hand = hands.entry(pool).or_default();
        let start = *hand;
        *hand = hand.wrapping_add(steps);
        start
    }
}

/// Here every stage is a call.
impl<P: Packet> Stages<P> for MemoryTables {
    fn balance(&self, packet: &mut P) -> Step {
        stage::balance(packet, self)
    }

    fn read(&self, packet: &mut P, flow: &mut Datagram) -> Step {
        stage::read(packet, flow, self)
    }

    fn deliver(&self, packet: &mut P, flow: &Datagram) -> Step {
        stage::deliver(packet, flow, self)
    }

    fn request(&self, _packet: &mut P, flow: &Datagram) -> Step {
        stage::request(flow, self)
    }

    fn create(&self, packet: &mut P, flow: &Datagram) -> Step {
        stage::create(packet, flow, self)
    }

    fn expire(&self, _packet: &mut P, pool: u32) {
        stage::expire(pool, self);
    }

    fn reply(&self, packet: &mut P, flow: &Datagram) -> Step {
        stage::reply(packet, flow, self)
    }

    fn write(&self, packet: &mut P, flow: &Datagram, index: u32, direction: Direction) -> Step {
        stage::write(packet, flow, index, direction, self)
    }

    fn exhausted(&self) -> Step {
        stage::exhausted(self)
    }

    fn too_big(&self, packet: &mut P, room: u16) -> Verdict {
        stage::too_big(packet, room, self)
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
        let key = wide_key(key);
        let mut sources = self.sources.iter();
        self.sources.is_empty()
            || key.is_some_and(|key| {
                sources.any(|(length, prefix)| same_prefix(*length, prefix, &key))
            })
    }

    fn gue_port(&self) -> Be16 {
        self.gue_port
    }
}
