//! The memory of flows, in memory.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    ops::Deref,
};

use lb_common::{MemoryLine, limits::MEMORY_LINES, memory::MEMORY_WORDS};

use super::{Array, MemoryTables};
use crate::memory::{FlowMemory, Lines};

/// The memory of flows, and the marks of armed slots, in memory.
#[derive(Clone, Debug)]
pub struct HostMemory {
    /// How many lines there are, a power of two, less one.
    pub mask: u32,
    /// Lines that are not empty.
    pub lines: RefCell<HashMap<u32, MemoryLine>>,
    /// When a packet of a slot last went elsewhere than to its current owner, by index, in seconds.
    pub seen: RefCell<Array<u32>>,
    /// How often lines and marks were read or written.
    pub accesses: Cell<u64>,
}

impl Default for HostMemory {
    fn default() -> Self {
        Self {
            mask: MEMORY_LINES as u32 - 1,
            lines: RefCell::default(),
            seen: RefCell::default(),
            accesses: Cell::default(),
        }
    }
}

impl HostMemory {
    fn count(&self) {
        self.accesses.set(self.accesses.get() + 1);
    }

    /// Changes an entry.
    fn entry<R>(&self, place: u32, change: impl FnOnce(&mut lb_common::Memory) -> R) -> Option<R> {
        self.count();
        let mut lines = self.lines.borrow_mut();
        let line = lines.entry(place / MEMORY_WORDS as u32).or_default();
        line.entries.get_mut(place as usize % MEMORY_WORDS).map(change)
    }
}

/// A line as it was when it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Copied(MemoryLine);

impl Deref for Copied {
    type Target = MemoryLine;

    fn deref(&self) -> &MemoryLine {
        &self.0
    }
}

impl Lines for MemoryTables {
    type Line<'tables> = Copied;

    fn memory_mask(&self) -> u32 {
        self.memory.mask
    }

    fn memory_line(&self, line: u32) -> Option<Copied> {
        self.memory.count();
        let known = || Copied(self.memory.lines.borrow().get(&line).copied().unwrap_or_default());
        (line <= self.memory.mask).then(known)
    }

    fn swap_owner(&self, place: u32, old: u64, new: u64) -> bool {
        let swapped = self.memory.entry(place, |entry| {
            let same = entry.owner == old;
            if same {
                entry.owner = new;
            }
            same
        });
        swapped.unwrap_or(false)
    }

    fn write_hash(&self, place: u32, hash: u64) {
        self.memory.entry(place, |entry| entry.hash = hash);
    }
}

impl FlowMemory for MemoryTables {
    fn mark_seen(&self, slot: u32, now: u32) {
        self.memory.count();
        self.memory.seen.borrow_mut().insert(slot as usize, now);
    }
}
