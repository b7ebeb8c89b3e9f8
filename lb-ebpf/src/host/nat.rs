//! What modes nat and fullnat remember, in memory.

use std::{
    boxed::Box,
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use lb_common::{
    Binding, ClientLink, FlowLine, Pool,
    nat::{BINDINGS_MAX, FLOW_LINES, FLOW_WORDS, Queue},
};

use super::MemoryTables;
use crate::{
    Datagram,
    nat::{NatTables, expire, request},
};

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

    fn follow(&self, flow: &Datagram, index: u32, link: &ClientLink) {
        request::follow(flow, index, link, self);
    }

    fn set_link(&self, index: u32, link: &ClientLink) {
        if let Some(binding) = self.binding(index) {
            self.write_binding(index, &Binding { link: *link, ..*binding });
        }
    }

    fn set_sequence(&self, index: u32, word: u64) {
        if let Some(binding) = self.binding(index) {
            self.write_binding(index, &Binding { sequence: word, ..*binding });
        }
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

    fn evict(&self, queue: Queue) -> Option<u32> {
        expire::evict(queue, self)
    }

    fn spare(&self, index: u32, now: u32) -> u32 {
        expire::spare_of(index, now, self)
    }

    fn advance(&self, pool: usize, steps: u32) -> u32 {
        let mut hands = self.nat.hands.borrow_mut();
        let hand = hands.entry(pool).or_default();
        let start = *hand;
        *hand = hand.wrapping_add(steps);
        start
    }
}
