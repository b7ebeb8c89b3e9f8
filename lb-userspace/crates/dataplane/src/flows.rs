//! The memory of flows, mapped into this process: counted, filled for measurements, carried over.

use std::{
    ops::Deref,
    os::fd::AsFd as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::{MapData, MapError};
use lb_common::{Memory, MemoryLine, Owner, abi::map};
use lb_ebpf::memory::{self, Lines};

use super::{MapSizes, mapped_array::MappedArray};

/// The map.
#[derive(Debug)]
pub(super) struct FlowMap {
    lines: MappedArray<MemoryLine>,
    sizes: MapSizes,
}

/// Result of copying flows to new maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// Flows that the new map has now.
    pub(super) kept: usize,
    /// Flows that found no place in it.
    pub(super) lost: usize,
}

/// Which map takes precedence if both have a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precedence {
    /// The old map: packets still write there.
    PreviousMaps,
    /// The new one.
    New,
}

impl FlowMap {
    /// The map that is pinned in a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, MapError> {
        let data = MapData::from_pin(folder.join(map::MEMORY))?;
        let sizes = MapSizes::of(folder)?;
        let lines = MappedArray::elements(data.fd().as_fd(), sizes.memory_lines as usize);
        Ok(Self { lines: lines.map_err(MapError::IoError)?, sizes })
    }

    /// Shows every flow that is remembered in this second: its hash, and the word of its owner.
    pub(super) fn each(&self, now: u32, mut show: impl FnMut(u64, u64)) {
        for place in 0..self.sizes.flows() {
            let Some(entry) = self.entry(place) else { continue };
            // SAFETY: inside the mapping; each word is read at once.
            let (hash, owner) = unsafe {
                (
                    (&raw const (*entry).hash).read_volatile(),
                    (&raw const (*entry).owner).read_volatile(),
                )
            };
            if !memory::is_over(owner, now) {
                show(hash, owner);
            }
        }
    }

    /// Remembers every flow of another map here, too.
    pub(super) fn carry(&self, previous: &Self, precedence: Precedence, now: u32) -> Carried {
        let mut carried = Carried::default();
        previous.each(now, |hash, word| {
            let kept = self.keep(hash, word, precedence, now);
            carried.kept += usize::from(kept);
            carried.lost += usize::from(!kept);
        });
        carried
    }

    fn keep(&self, hash: u64, word: u64, precedence: Precedence, now: u32) -> bool {
        let found = memory::find(hash, self);
        if !found.has_place() {
            return memory::insert(hash, Owner::from_word(word), now, 0, self);
        }
        let stale = precedence == Precedence::PreviousMaps || memory::is_over(found.word, now);
        if stale && found.word != word {
            // Else a packet was faster, and knows better.
            self.swap_owner(found.place, found.word, word);
        }
        true
    }

    /// An entry; `None` when there is no such place.
    fn entry(&self, place: u32) -> Option<*mut Memory> {
        let inside = place < self.sizes.flows();
        // SAFETY: inside the mapping.
        inside.then(|| unsafe { self.lines.element().cast::<Memory>().add(place as usize) })
    }
}

/// A line at the time of the request.
pub(super) struct Copied(MemoryLine);

impl Deref for Copied {
    type Target = MemoryLine;

    fn deref(&self) -> &MemoryLine {
        &self.0
    }
}

impl Lines for FlowMap {
    type Line<'tables> = Copied;

    fn memory_mask(&self) -> u32 {
        self.sizes.memory_mask()
    }

    fn memory_line(&self, line: u32) -> Option<Copied> {
        let mut copied = MemoryLine::default();
        let first = line.checked_mul(MapSizes::WORDS)?;
        for (place, entry) in (first..).zip(&mut copied.entries) {
            let place = self.entry(place)?;
            // SAFETY: inside the mapping; packets write words, and each is read at once.
            unsafe {
                entry.hash = (&raw const (*place).hash).read_volatile();
                entry.owner = (&raw const (*place).owner).read_volatile();
            }
        }
        Some(Copied(copied))
    }

    fn swap_owner(&self, place: u32, old: u64, new: u64) -> bool {
        self.entry(place).is_some_and(|entry| {
            // SAFETY: inside the mapping and aligned; packets, too, swap this word as a whole.
            let owner = unsafe { AtomicU64::from_ptr(&raw mut (*entry).owner) };
            owner.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        })
    }

    fn write_hash(&self, place: u32, hash: u64) {
        if let Some(entry) = self.entry(place) {
            // SAFETY: inside the mapping and aligned; the place is the caller's.
            unsafe { (&raw mut (*entry).hash).write_volatile(hash) };
        }
    }
}
