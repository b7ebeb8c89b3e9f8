//! The flow table: from the hash of a packet's ends to a binding.
//!
//! Lines of one cache line, eight words each; a word is a tag of the hash and the index of a
//! binding. A flow has two lines to be in and goes to the first one, unless that is nearly full:
//! then to the emptier one ("the power of two choices": Azar, Broder, Karlin, Upfal 1999), so that
//! the lines fill evenly. With all bindings in use, half of all words are, and a packet in twenty
//! looks at the second line; with few, none does. Both are in one page. A tag only says where to
//! look: the binding itself says whether it is the flow's.

use core::ops::Deref;

use lb_common::{
    Binding, FlowLine,
    nat::{FLOW_WORDS, WORD_USED, binding_of_word},
};

use super::NatTables;

/// The flow table, as the agent has it, too.
pub trait FlowLines {
    /// A line as it is handed out: the line itself, or a copy of it.
    type Line<'tables>: Deref<Target = FlowLine>
    where
        Self: 'tables;

    /// Number of lines, a power of two, less one.
    fn line_mask(&self) -> u32;

    /// A line of the flow table.
    fn flow_line(&self, line: u32) -> Option<Self::Line<'_>>;

    /// Replaces a word of the flow table; `false` when it was not `old` any more.
    fn swap_flow_word(&self, line: u32, word: u32, old: u64, new: u64) -> bool;
}

/// Times that a place is looked for, when other CPUs take the one that was found.
const TRIES: usize = 3;

/// The buckets of this flow in the flow table are full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Words of a line that are used when its flows begin to go to their other lines.
const NEARLY_FULL: u64 = 6;

/// Lines of a page of 4 KiB.
const PAGE: u64 = 64;

/// The two lines of a flow.
#[inline(always)]
const fn lines(hash: u64, mask: u32) -> [u32; 2] {
    let first = hash & mask as u64;
    // An odd number: never the same line twice.
    let second = first ^ (hash >> 24 & (PAGE - 1) | 1);
    [first as u32, second as u32]
}

/// The word of a flow: 32 bits of the hash, then the index with a bit that makes it not empty.
#[inline(always)]
const fn word(hash: u64, index: u32) -> u64 {
    hash & 0xffff_ffff_0000_0000 | index as u64 | WORD_USED
}

/// The index of the binding of a flow with this hash that `is_it`.
#[inline(always)]
pub fn find<T: NatTables>(hash: u64, tables: &T, is_it: impl Fn(&Binding) -> bool) -> Option<u32> {
    for number in lines(hash, tables.line_mask()) {
        let line = tables.flow_line(number)?;
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

/// The binding that has the first word with this tag. Nobody asks whether it is the flow's: of 500 million
/// hashes one meets the tag of another.
#[inline(always)]
pub fn holder<T: FlowLines>(hash: u64, tables: &T) -> Option<u32> {
    for number in lines(hash, tables.line_mask()) {
        let line = tables.flow_line(number)?;
        for word in &line.words {
            if (*word ^ hash) >> 32 == 0
                && let Some(index) = binding_of_word(*word)
            {
                return Some(index);
            }
        }
    }
    None
}

/// Whether more than one word has this tag: two CPUs have given one tuple to two flows, or a client uses
/// it twice. A sum of bits, as in [`used`].
#[inline(always)]
pub fn is_double<T: FlowLines>(hash: u64, tables: &T) -> bool {
    let mut count = 0;
    for number in lines(hash, tables.line_mask()) {
        let Some(line) = tables.flow_line(number) else {
            return false;
        };
        for word in &line.words {
            let difference = (*word ^ hash) >> 32;
            count += (difference.wrapping_sub(1) >> 63) & (*word / WORD_USED) & 1;
        }
    }
    count > 1
}

/// Enters a flow.
#[inline(always)]
pub fn insert<T: FlowLines>(hash: u64, binding: u32, tables: &T) -> Result<(), Full> {
    for _ in 0..TRIES {
        let (line, place) = free_place(hash, tables).ok_or(Full)?;
        if tables.swap_flow_word(line, place, 0, word(hash, binding)) {
            return Ok(());
        }
    }
    Err(Full)
}

/// An empty word of the first line, or of the emptier one when that is nearly full.
#[inline(always)]
fn free_place<T: FlowLines>(hash: u64, tables: &T) -> Option<(u32, u32)> {
    let [first, second] = lines(hash, tables.line_mask());
    let (first_line, second_line) = (tables.flow_line(first)?, tables.flow_line(second)?);
    let first_used = used(&first_line);
    let (line, words) = if first_used < NEARLY_FULL || first_used <= used(&second_line) {
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
        count += (*word / WORD_USED) & 1;
    }
    count
}

/// Removes a flow, if it is there.
#[inline(always)]
pub fn remove<T: FlowLines>(hash: u64, binding: u32, tables: &T) {
    let wanted = word(hash, binding);
    for number in lines(hash, tables.line_mask()) {
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
    use lb_common::nat::{BINDINGS, BINDINGS_MAX, BINDINGS_MIN, flow_lines};

    use super::*;

    #[test]
    fn a_flow_has_two_lines_and_a_word_is_never_empty() {
        for bindings in [BINDINGS_MIN, BINDINGS, BINDINGS_MAX] {
            let count = flow_lines(bindings);
            for hash in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
                let [first, second] = lines(hash, count as u32 - 1);
                assert_ne!(first, second);
                assert!((first as usize) < count && (second as usize) < count);
                for binding in [0, 1, bindings as u32 - 1] {
                    assert_ne!(word(hash, binding), 0);
                    assert_eq!(binding_of_word(word(hash, binding)), Some(binding));
                }
            }
        }
    }
}
