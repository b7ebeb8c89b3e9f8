//! Frees bindings whose flows have ended: each new flow inspects a few. So the cost grows with the
//! work, no separate task is needed, and no packet waits. When none is free, a new flow takes the
//! binding of one that has ended, or not begun ([`evict`]).

use lb_common::{Binding, Counter, Family, Life};

use super::{Ends, NatTables, choice::Choice, life, life::Spare, table};
use crate::steer;

/// Number of bindings that are inspected for each new one. All must be inspected within the
/// lifetime of flows: with four, after a quarter of their number in new flows.
pub(crate) const STEPS: u32 = 4;

/// Number of bindings that are inspected if none is free: if nine of ten are established, one
/// search of thirty finds none, and the client's next SYN continues the search.
pub(crate) const LOOKS: u32 = 32;

/// Minimum number of bindings that are inspected before one whose flow has not begun is taken: one
/// whose flow has ended is better.
const LOOKS_MIN: u32 = 8;

/// Inspects the next few bindings.
#[inline(always)]
pub(crate) fn look<T: NatTables>(now: u32, tables: &T) {
    let start = tables.advance(STEPS, tables.taken());
    for step in 0..STEPS {
        look_at(start.wrapping_add(step), now, tables);
    }
}

#[inline(always)]
fn look_at<T: NatTables>(index: u32, now: u32, tables: &T) {
    let Some(binding) = tables.binding(index) else {
        return;
    };
    let word = tables.life(index);
    if life::is_over(Life::from_word(word), binding.protocol, binding.idle_timeout, now) {
        forget(index, word, binding, now, tables);
    }
}

/// Takes a live binding from its flow, for another: the next one whose flow has ended, else one
/// whose flow has not begun in time. All CPUs share one position, so that the oldest bindings come
/// next. If there is none, and a listener has most of the flows that have not begun, the oldest of
/// those is taken: a flood evicts its own flows. Such a binding is reused at once: a packet that
/// still reads it belongs to a flow that is over.
#[inline(always)]
pub fn evict<T: NatTables>(now: u32, tables: &T) -> Option<u32> {
    let taken = tables.taken();
    if taken == 0 {
        return None;
    }
    let start = tables.hand(1);
    let mut choice = Choice::NOTHING;
    for step in 0..LOOKS {
        choice = tables.weigh(choice, start.wrapping_add(step) % taken, now);
        if choice.has_ended() || step + 1 >= LOOKS_MIN && choice.is_found() {
            break;
        }
    }
    if !choice.is_found() && choice.flooded() == 0 {
        tables.hand(LOOKS - 1);
        return None;
    }
    for step in 0..LOOKS {
        let index = start.wrapping_add(step) % taken;
        if tables.is_meant(choice, index, now) {
            // The next search starts after it.
            tables.hand(step);
            return tables.take_over(index, now).then_some(index);
        }
    }
    None
}

/// Inspects a binding that may be evicted.
#[inline(always)]
pub fn weigh<T: NatTables>(choice: Choice, index: u32, now: u32, tables: &T) -> Choice {
    let life = Life::from_word(tables.life(index));
    match tables.binding(index) {
        Some(binding) => choice.weigh(index, binding, life, now),
        None => choice,
    }
}

/// Whether this is the binding to evict after the search: the best one, or, if that may not be
/// evicted, one of the flooded listener whose flow has not begun. One of the last second is spared
/// while there is an older one: its client may be about to answer.
#[inline(always)]
pub fn is_meant<T: NatTables>(choice: Choice, index: u32, now: u32, tables: &T) -> bool {
    if choice.is_found() {
        return index == choice.index();
    }
    let life = Life::from_word(tables.life(index));
    tables.binding(index).is_some_and(|binding| binding.listener == choice.flooded())
        && life.phase == Life::LIVE
        && life.flags & Life::ESTABLISHED == 0
        && (choice.is_young() || life::silence(life, now) > 0)
}

/// Ends a flow that is not established, so that its binding is the caller's; `false` when another
/// CPU's packet was faster.
#[inline(always)]
pub fn take_over<T: NatTables>(index: u32, now: u32, tables: &T) -> bool {
    let word = tables.life(index);
    let Some(binding) = tables.binding(index) else {
        return false;
    };
    let spare = life::spare(Life::from_word(word), binding.protocol, binding.idle_timeout, now);
    if spare == Spare::No || !end(index, word, binding, now, tables) {
        return false;
    }
    tables.count(Counter::FlowEvicted.index());
    true
}

/// Ends a flow, if its life is still `word`: packets do not find its binding any more. It goes to
/// the end of the queue, and is not reused before a grace period.
#[inline(always)]
pub(crate) fn forget<T: NatTables>(index: u32, word: u64, binding: &Binding, now: u32, tables: &T) {
    if end(index, word, binding, now, tables) {
        tables.count(Counter::FlowForgotten.index());
        tables.give_back(index);
    }
}

/// Ends a flow; `false` when its life is not `word` any more.
#[inline(always)]
fn end<T: NatTables>(index: u32, word: u64, binding: &Binding, now: u32, tables: &T) -> bool {
    let dead = Life { seen: now, phase: Life::DEAD, flags: 0 };
    if !tables.swap_life(index, word, dead.to_word()) {
        return false;
    }
    table::remove(request_hash(binding, tables), index, tables);
    table::remove(reply_hash(binding, tables), index, tables);
    true
}

/// The hash by which packets of the client find a binding.
#[inline(always)]
pub(crate) fn request_hash<T: NatTables>(binding: &Binding, tables: &T) -> u64 {
    hash(binding, Ends::from_client(binding), tables)
}

/// The hash by which packets of the target find a binding.
#[inline(always)]
pub(crate) fn reply_hash<T: NatTables>(binding: &Binding, tables: &T) -> u64 {
    hash(binding, Ends::to_target(binding).turned(), tables)
}

#[inline(always)]
fn hash<T: NatTables>(binding: &Binding, ends: Ends, tables: &T) -> u64 {
    let family = if binding.family == Family::V4 as u8 { Family::V4 } else { Family::V6 };
    steer::hash(family, binding.protocol, &ends, tables)
}
