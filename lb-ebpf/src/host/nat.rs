//! What modes nat and fullnat remember, in memory.

use std::{
    boxed::Box,
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
};

use lb_common::{
    Binding, ClientLink, Family, FlowLine, Pool,
    nat::{BINDINGS, FLOW_WORDS, POOLS_MAX, flow_lines},
};

use super::MemoryTables;
use crate::{
    Datagram,
    nat::{
        NatTables,
        choice::Choice,
        expire, request,
        source::{self, Candidate, Source},
        table::FlowLines,
    },
};

/// What modes nat and fullnat remember, in memory. What is replaced is leaked: others may still read
/// it, as they may in the kernel.
#[derive(Clone, Debug)]
pub struct NatMemory {
    /// How many bindings there are: a power of two, two at least.
    pub count: u32,
    /// Pools, by place.
    pub pools: BTreeMap<usize, Pool>,
    /// Bindings, by index; the others are all zero.
    pub bindings: RefCell<BTreeMap<u32, &'static Binding>>,
    /// Their lives.
    pub lives: RefCell<BTreeMap<u32, u64>>,
    /// Lines of the flow table that are not empty.
    pub lines: RefCell<BTreeMap<u32, &'static FlowLine>>,
    /// How many bindings have ever been taken.
    pub taken: Cell<u32>,
    /// Those that are free again.
    pub free: RefCell<VecDeque<u32>>,
    /// Where the next look starts when none is free.
    pub hand: Cell<u32>,
    /// Where the next look for flows that have ended starts.
    pub next_look: Cell<u32>,
}

impl Default for NatMemory {
    fn default() -> Self {
        Self {
            count: BINDINGS as u32,
            pools: BTreeMap::new(),
            bindings: RefCell::default(),
            lives: RefCell::default(),
            lines: RefCell::default(),
            taken: Cell::default(),
            free: RefCell::default(),
            hand: Cell::default(),
            next_look: Cell::default(),
        }
    }
}

static UNUSED: Binding = Binding::EMPTY;
static EMPTY: FlowLine = FlowLine { words: [0; FLOW_WORDS] };

impl FlowLines for MemoryTables {
    type Line<'tables> = &'tables FlowLine;

    fn line_mask(&self) -> u32 {
        flow_lines(self.nat.count as usize) as u32 - 1
    }

    fn flow_line(&self, line: u32) -> Option<&FlowLine> {
        let inside = line <= self.line_mask();
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
}

impl NatTables for MemoryTables {
    fn pool(&self, place: usize) -> Pool {
        self.nat.pools.get(&place).copied().unwrap_or_default()
    }

    fn pools_end(&self, family: Family) -> u32 {
        let first = Pool::first_place(family);
        let last = self.nat.pools.range(first..first + POOLS_MAX).next_back();
        last.map_or(0, |(place, _)| (place - first + 1) as u32)
    }

    fn binding(&self, index: u32) -> Option<&Binding> {
        let inside = index < self.nat.count;
        inside.then(|| self.nat.bindings.borrow().get(&index).copied().unwrap_or(&UNUSED))
    }

    fn write_binding(&self, index: u32, binding: &Binding) {
        debug_assert!(index < self.nat.count);
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

    fn taken(&self) -> u32 {
        self.nat.taken.get()
    }

    fn take(&self) -> Option<u32> {
        let taken = self.nat.taken.get();
        if taken == self.nat.count {
            return self.nat.free.borrow_mut().pop_front();
        }
        self.nat.taken.set(taken + 1);
        Some(taken)
    }

    fn give_back(&self, index: u32) {
        self.nat.free.borrow_mut().push_back(index);
    }

    fn hand(&self, steps: u32) -> u32 {
        self.nat.hand.replace(self.nat.hand.get().wrapping_add(steps))
    }

    fn advance(&self, steps: u32, end: u32) -> u32 {
        let start = self.nat.next_look.get();
        let start = if start < end { start } else { 0 };
        self.nat.next_look.set(start.wrapping_add(steps));
        start
    }

    fn evict(&self, now: u32) -> Option<u32> {
        expire::evict(now, self)
    }

    fn weigh(&self, choice: Choice, index: u32, now: u32) -> Choice {
        expire::weigh(choice, index, now, self)
    }

    fn is_meant(&self, choice: Choice, index: u32, now: u32) -> bool {
        expire::is_meant(choice, index, now, self)
    }

    fn take_over(&self, index: u32, now: u32) -> bool {
        expire::take_over(index, now, self)
    }

    fn choose_source(&self, flow: &Datagram, target: u16, hash: u64) -> Source {
        source::choose(flow, target, hash, self)
    }

    fn candidate(&self, flow: &Datagram, target: u16, position: u32) -> Candidate {
        source::candidate(flow, target, position, self)
    }
}
