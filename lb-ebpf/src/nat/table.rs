//! The flow table: from the hash of a packet's ends to a binding.
//!
//! Lines of one cache line, eight words each; a word is a tag of the hash and the index of a
//! binding. A flow has two lines to be in and goes to the emptier one ("the power of two choices":
//! Azar, Broder, Karlin, Upfal 1999), so that the lines fill evenly; both lie in one page and are asked
//! for before either is looked at, as in [`crate::memory`]. A tag only says where to look: the binding
//! itself says whether it is the flow's.

use core::hint::black_box;

use lb_common::{
    Binding, FlowLine,
    nat::{BINDINGS_MAX, FLOW_LINES, FLOW_WORDS, binding_of_word},
};

use super::NatTables;

/// Times that a place is looked for, when other CPUs take the one that was found.
const TRIES: usize = 3;

/// The flow table has no room where this flow could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Lines of a page of 4 KiB.
const PAGE: u64 = 64;

/// The two lines of a flow.
#[inline(always)]
const fn lines(hash: u64) -> [u32; 2] {
    const MASK: u64 = FLOW_LINES as u64 - 1;
    let first = hash & MASK;
    // An odd number: never the same line twice.
    let second = first ^ (hash >> 16 & (PAGE - 1) | 1);
    [first as u32, second as u32]
}

/// The word of a flow: 32 bits of the hash, then the index with a bit that makes it not empty.
#[inline(always)]
const fn word(hash: u64, index: u32) -> u64 {
    hash & 0xffff_ffff_0000_0000 | index as u64 | BINDINGS_MAX as u64
}

/// The index of the binding of a flow with this hash that `is_it`.
#[inline(always)]
pub fn find<T: NatTables>(hash: u64, tables: &T, is_it: impl Fn(&Binding) -> bool) -> Option<u32> {
    let [first, second] = lines(hash);
    let (first, second) = (tables.flow_line(first)?, tables.flow_line(second)?);
    // On its way from memory while the first is waited for.
    let [ahead, ..] = &second.words;
    black_box(*ahead);
    for line in [first, second] {
        for word in &line.words {
            if (*word ^ hash) >> 32 == 0
                && let Some(index) = binding_of_word(*word)
                && tables.binding(index).is_some_and(&is_it)
            {
                return Some(index);
            }
        }
    }
    None
}

/// Enters a flow.
#[inline(always)]
pub fn insert<T: NatTables>(hash: u64, binding: u32, tables: &T) -> Result<(), Full> {
    for _ in 0..TRIES {
        let (line, place) = free_place(hash, tables).ok_or(Full)?;
        if tables.swap_flow_word(line, place, 0, word(hash, binding)) {
            return Ok(());
        }
    }
    Err(Full)
}

/// An empty word of the emptier line.
#[inline(always)]
fn free_place<T: NatTables>(hash: u64, tables: &T) -> Option<(u32, u32)> {
    let [first, second] = lines(hash);
    let (first_line, second_line) = (tables.flow_line(first)?, tables.flow_line(second)?);
    let (line, words) = if used(first_line) <= used(second_line) {
        (first, first_line)
    } else {
        (second, second_line)
    };
    (0..).zip(&words.words).find(|(_, word)| **word == 0).map(|(place, _)| (line, place))
}

/// How many words of a line are used. A sum of bits, not of comparisons: the verifier would walk
/// each outcome of those on its own.
#[inline(always)]
fn used(line: &FlowLine) -> u64 {
    let mut count = 0;
    for word in &line.words {
        count += (*word / BINDINGS_MAX as u64) & 1;
    }
    count
}

/// Removes a flow, if it is there.
#[inline(always)]
pub fn remove<T: NatTables>(hash: u64, binding: u32, tables: &T) {
    let wanted = word(hash, binding);
    for number in lines(hash) {
        let Some(line) = tables.flow_line(number) else {
            return;
        };
        for place in 0..FLOW_WORDS {
            if line.words.get(place) == Some(&wanted)
                && tables.swap_flow_word(number, place as u32, wanted, 0)
            {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_has_two_lines_and_a_word_is_never_empty() {
        for hash in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let [first, second] = lines(hash);
            assert_ne!(first, second);
            assert!((first as usize) < FLOW_LINES && (second as usize) < FLOW_LINES);
            for binding in [0, 1, BINDINGS_MAX as u32 - 1] {
                assert_ne!(word(hash, binding), 0);
                assert_eq!(binding_of_word(word(hash, binding)), Some(binding));
            }
        }
    }
}
