//! The flow memory: from the hash of a five-tuple to its target.
//!
//! Lines of one cache line, four flows each. A flow has two possible lines and goes to the emptier
//! one ("the power of two choices": Azar, Broder, Karlin, Upfal 1999). Both are in one page, so
//! that the CPU translates one address and not two, and both are prefetched before either is read:
//! one memory latency instead of two. An entry has all 64 bits of a keyed hash, so that two flows
//! collide once in 2^64: it needs no addresses, and one word has the rest. An entry is free when
//! its time is over. Live entries are never evicted, so that a flood cannot evict flows: it finds
//! no free entry, and is not remembered. In each line, one entry is reserved for flows of other
//! listeners than those that track all: their floods, which no handshake distinguishes from
//! traffic, leave a quarter of the memory to TCP.

use core::{hint::black_box, ops::Deref};

use lb_common::{Memory, MemoryLine, Owner, memory::MEMORY_WORDS};

use crate::Tables;

/// The lines of the memory of flows. A place is the number of its line times [`MEMORY_WORDS`], plus
/// its number in the line.
pub trait Lines {
    /// A line of it.
    type Line<'tables>: Deref<Target = MemoryLine>
    where
        Self: 'tables;

    /// How many there are, a power of two, less one.
    fn memory_mask(&self) -> u32;

    /// A line; other CPUs may be writing it.
    fn memory_line(&self, line: u32) -> Option<Self::Line<'_>>;

    /// Replaces the owner of an entry; `false` if it was not `old` any more.
    fn swap_owner(&self, place: u32, old: u64, new: u64) -> bool;

    /// Writes the hash of an entry that has just been taken.
    fn write_hash(&self, place: u32, hash: u64);
}

/// The interface of the flow memory to its map.
pub trait FlowMemory: Tables + Lines {
    /// Records that a packet of the slot with this index went to another target than its current
    /// owner, in this second.
    fn mark_seen(&self, slot: u32, now: u32);
}

/// Where a flow is, and the word of its [`Owner`]. Not an `Option`: LLVM fills its empty case from
/// an uninitialized register, which the verifier refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The place.
    pub place: u32,
    /// The word.
    pub word: u64,
}

impl Found {
    /// No entry; its time was over at second 0.
    const NOTHING: Self = Self { place: u32::MAX, word: 0 };

    /// Whether it has a place.
    #[inline(always)]
    #[must_use]
    pub const fn has_place(self) -> bool {
        self.place != u32::MAX
    }
}

/// Lines of a page of 4 KiB.
const PAGE: u64 = 64;

/// The two lines of a flow. The slot takes the top bits of the hash: these are the lowest ones.
#[inline(always)]
const fn lines(hash: u64, mask: u32) -> [u32; 2] {
    let mask = mask as u64;
    let first = hash & mask;
    // An odd number: never the same line twice.
    let second = first ^ (hash >> 24 & (PAGE - 1) | 1);
    [first as u32, second as u32]
}

/// Whether the time of an owner is over, as a bit. Seconds are compared modulo 2^32; a place that
/// was never taken has expired at second 0.
#[inline(always)]
const fn over(owner: u64, now: u32) -> u32 {
    let expires = (owner >> 32) as u32;
    expires.wrapping_sub(now).wrapping_sub(1) >> 31
}

/// Whether the time of an owner is over.
#[inline(always)]
#[must_use]
pub const fn is_over(owner: u64, now: u32) -> bool {
    over(owner, now) != 0
}

/// The entry of a flow, even if its time is over.
#[inline(always)]
#[must_use]
pub fn find<T: Lines>(hash: u64, tables: &T) -> Found {
    let [first, second] = lines(hash, tables.memory_mask());
    let (Some(first_line), Some(second_line)) =
        (tables.memory_line(first), tables.memory_line(second))
    else {
        return Found::NOTHING;
    };
    // Prefetched while the first one is loaded.
    let [Memory { hash: ahead, .. }, ..] = &second_line.entries;
    black_box(*ahead);
    for (line, entries) in [(first, first_line), (second, second_line)] {
        for (number, entry) in (0..).zip(&entries.entries) {
            if entry.hash == hash {
                return Found { place: line * MEMORY_WORDS as u32 + number, word: entry.owner };
            }
        }
    }
    Found::NOTHING
}

/// Takes a free entry for a flow that has none; `false` if there is none, or another CPU was
/// faster. It leaves `kept` entries of the line free.
#[inline(always)]
pub fn insert<T: Lines>(hash: u64, owner: Owner, now: u32, kept: u32, tables: &T) -> bool {
    let [first, second] = lines(hash, tables.memory_mask());
    let (Some(first_line), Some(second_line)) =
        (tables.memory_line(first), tables.memory_line(second))
    else {
        return false;
    };
    let [first_free, second_free] = [free(&first_line, now), free(&second_line, now)];
    let (line, chosen, free) = if first_free >= second_free {
        (first, first_line, first_free)
    } else {
        (second, second_line, second_free)
    };
    if free <= kept {
        return false;
    }
    let found = (0..).zip(&chosen.entries).find(|(_, entry)| is_over(entry.owner, now));
    let Some((number, Memory { owner: old, .. })) = found else {
        return false;
    };
    let place = line * MEMORY_WORDS as u32 + number;
    // The CPU that replaces the owner has the entry: until it writes the hash, the entry belongs to
    // a flow whose time is over.
    if !tables.swap_owner(place, *old, owner.to_word()) {
        return false;
    }
    tables.write_hash(place, hash);
    true
}

/// Number of free entries of a line. A sum of bits: the verifier would walk each outcome of
/// comparisons on its own.
#[inline(always)]
fn free(line: &MemoryLine, now: u32) -> u32 {
    let mut count = 0;
    for entry in &line.entries {
        count += over(entry.owner, now);
    }
    count
}

#[cfg(test)]
mod tests {
    use lb_common::limits::{MEMORY_LINES, MEMORY_LINES_MAX, MEMORY_LINES_MIN};

    use super::*;

    #[test]
    fn time_is_over_at_its_second_also_when_it_wraps() {
        let owner = |expires| Owner { target: 1, epoch: 1, expires }.to_word();
        for (expires, now, over) in [
            (100, 99, 0),
            (100, 100, 1),
            (100, 101, 1),
            (0, 1, 1),
            (5, u32::MAX - 5, 0),
            (u32::MAX - 5, 5, 1),
        ] {
            assert_eq!(super::over(owner(expires), now), over, "{expires} at {now}");
        }
    }

    #[test]
    fn a_flow_has_two_lines() {
        for size in [MEMORY_LINES_MIN, MEMORY_LINES, MEMORY_LINES_MAX] {
            for hash in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
                let [first, second] = lines(hash, size as u32 - 1);
                assert_ne!(first, second);
                assert_eq!(u64::from(first) / PAGE, u64::from(second) / PAGE);
                assert!((first as usize) < size && (second as usize) < size);
            }
        }
    }
}
