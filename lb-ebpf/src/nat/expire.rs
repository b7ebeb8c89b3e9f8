//! Takes bindings back whose flows have ended: each new flow looks at a few. So the cost grows with
//! the work, nothing has to run beside the data path, and no packet waits. When none is free, a new flow takes
//! the binding of one that has ended, or not begun ([`evict`]).

use lb_common::{
    Binding, Counter, Family, Life, Pool,
    nat::{POOL_PLACES, POOLS_MAX, Queue},
};

use super::{Ends, NatTables, life, life::Spare, seconds, table};
use crate::steer;

/// Bindings that are looked at for each new one. A pool has to be walked within the time that its
/// flows live: with four, after a quarter of its size in new flows.
pub(crate) const STEPS: u32 = 4;

/// Bindings that are looked at when none is free: with nine of ten established, one look of
/// thirty finds nothing, and the client's next SYN looks further.
pub(crate) const LOOKS: u32 = 32;

/// Looks at the next few bindings of a pool.
#[inline(always)]
pub(crate) fn look<T: NatTables>(number: usize, tables: &T) {
    let pool = tables.pool(number);
    if pool.count == 0 {
        return;
    }
    let mut offset = tables.advance(number, STEPS) % pool.count;
    let now = seconds(tables);
    for _ in 0..STEPS {
        look_at(pool.first + offset, now, tables);
        offset += 1;
        if offset >= pool.count {
            offset = 0;
        }
    }
}

/// Takes a live binding from its flow, for another: the next one whose flow has ended, else one whose
/// flow has not begun. Bindings are given out in their order when they are short, so the next ones are
/// those that have ended first. Such a binding does not rest: who still reads it has a packet of a flow
/// that is over.
#[inline(always)]
pub fn evict<T: NatTables>(queue: Queue, tables: &T) -> Option<u32> {
    let number = next_pool(queue, tables) as usize;
    let pool = tables.pool(number);
    if pool.count == 0 {
        return None;
    }
    let start = tables.advance(number, 0);
    let now = seconds(tables);
    let (mut found, mut best, mut looked) = (pool.first, Spare::No as u32, 0);
    for _ in 0..LOOKS {
        let index = pool.first + start.wrapping_add(looked) % pool.count;
        let spare = tables.spare(index, now);
        if spare > best {
            (found, best) = (index, spare);
        }
        looked += 1;
        if best >= Spare::Ended as u32 {
            break;
        }
    }
    tables.advance(number, looked);
    if best == Spare::No as u32 {
        return None;
    }
    let word = tables.life(found);
    let binding = tables.binding(found)?;
    // Another CPU's packet may have been faster.
    if spare(Life::from_word(word), binding, now) == Spare::No
        || !end(found, word, binding, now, tables)
    {
        return None;
    }
    tables.count(Counter::FlowEvicted.index());
    Some(found)
}

/// Whether the binding with this index may be taken from its flow: the number of a [`Spare`].
#[inline(always)]
pub fn spare_of<T: NatTables>(index: u32, now: u32, tables: &T) -> u32 {
    let life = Life::from_word(tables.life(index));
    tables.binding(index).map_or(Spare::No, |binding| spare(life, binding, now)) as u32
}

#[inline(always)]
const fn spare(life: Life, binding: &Binding, now: u32) -> Spare {
    life::spare(life, binding.protocol, binding.idle_timeout, now)
}

/// One of the pools of a queue, by turns.
#[inline(always)]
pub(crate) fn next_pool<T: NatTables>(queue: Queue, tables: &T) -> u32 {
    if queue == Queue::Nat {
        return Pool::NAT as u32;
    }
    let turn = tables.advance(POOLS_MAX, 1);
    let mut found = Pool::NAT as u32;
    for step in 0..POOL_PLACES as u32 {
        let number = turn.wrapping_add(step) & (POOL_PLACES as u32 - 1);
        let pool = tables.pool(number as usize);
        if pool.count != 0 && pool.queue() == queue {
            found = number;
            break;
        }
    }
    found
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

/// Ends a flow, if its life is still `word`: packets do not find its binding any more. It goes to
/// the end of its queue, and is not taken before it has rested.
#[inline(always)]
pub(crate) fn forget<T: NatTables>(index: u32, word: u64, binding: &Binding, now: u32, tables: &T) {
    if end(index, word, binding, now, tables) {
        tables.count(Counter::FlowForgotten.index());
        tables.give_back(tables.pool(usize::from(binding.pool)).queue(), index);
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
    if usize::from(binding.pool) == Pool::NAT {
        table::remove(reply_hash(binding, tables), index, tables);
    }
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
