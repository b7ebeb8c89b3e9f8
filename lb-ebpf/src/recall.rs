//! The rule for flows that need memory: those of armed slots, and those of listeners that track all.
//!
//! A slot is armed while a live flow in it may belong to another target than its current one. Only
//! then is a flow remembered, or looked up: packets of a slot that is not armed never come here.

use lb_common::{Counter, Limit, Owner, Slot};

use crate::{
    memory::{self, FlowMemory, Found},
    question::{Answer, Question},
    tables::{Fact, Tables},
};

/// Seconds that a flow is remembered after its first packet, until a later packet: a client waits
/// up to 16 seconds between its SYNs (RFC 6298). So a flood of SYNs or datagrams does not fill the
/// memory for long.
const OPENING: u32 = 20;

/// Entries of a line of the flow memory that flows of listeners that track all leave to others.
const KEPT_FOR_OTHERS: u32 = 1;

/// The destination of the packet; remembers its flow if necessary.
#[inline(always)]
pub fn answer<T: FlowMemory>(asked: &Question, tables: &T) -> Answer {
    let now = (tables.now() / 1_000_000_000) as u32;
    let found = memory::find(asked.hash, tables);
    if is_valid(found, asked, now) {
        let owner = Owner::from_word(found.word);
        if may_go(owner.target, asked, tables) {
            tables.note(Fact::Remembered);
            keep(found, owner, asked, now, tables);
            return exception(owner.target, asked, now, tables);
        }
        if asked.has(Question::RESETS) {
            return Answer::Reset;
        }
    }
    let begins = asked.has(Question::OPENS | Question::TRACKED);
    // No target takes new flows: a draining home does not, either.
    if begins && (asked.slot.current == 0 || remember(found, asked, now, tables)) {
        return Answer::To(asked.slot.current);
    }
    untracked(asked, now, tables)
}

/// Whether a flow is remembered now: in this epoch, and not too long ago.
#[inline(always)]
fn is_valid(found: Found, asked: &Question, now: u32) -> bool {
    let owner = Owner::from_word(found.word);
    owner.epoch == asked.epoch() && !memory::is_over(found.word, now)
}

/// Whether a packet may go to the target that its flow is remembered with. A packet that opens a
/// flow goes only to a target of the present group of its listener: that of the current owner.
#[inline(always)]
fn may_go<T: Tables>(id: u16, asked: &Question, tables: &T) -> bool {
    let Some(target) = tables.target(id).filter(|target| target.is_routable()) else {
        return false;
    };
    if !asked.has(Question::OPENS) {
        return true;
    }
    let current = tables.target(asked.slot.current);
    target.is_accepting() && current.is_some_and(|current| current.group == target.group)
}

/// Remembers a flow with the current owner of its slot; `false` if that is not possible.
/// Overwriting an older entry costs no budget.
#[inline(always)]
fn remember<T: FlowMemory>(found: Found, asked: &Question, now: u32, tables: &T) -> bool {
    if !asked.has(Question::LEARNS) {
        return false;
    }
    let owner = Owner {
        target: asked.slot.current,
        epoch: asked.epoch(),
        expires: now.wrapping_add(OPENING),
    };
    let remembered = if found.has_place() {
        tables.swap_owner(found.place, found.word, owner.to_word())
    } else {
        let (limit, kept) = share(asked);
        tables.allowed(limit) && memory::insert(asked.hash, owner, now, kept, tables)
    };
    let counter = if remembered { Counter::FlowRemembered } else { Counter::FlowNotRemembered };
    tables.count(counter.index());
    remembered
}

/// The budget of a kind of flows, and the entries of a line that it leaves free.
#[inline(always)]
const fn share(asked: &Question) -> (Limit, u32) {
    if asked.has(Question::TRACKED) {
        (Limit::RememberTracked, KEPT_FOR_OTHERS)
    } else {
        (Limit::Remember, 0)
    }
}

/// A flow that is not remembered goes to the slot's home, as long as that is routable.
#[inline(always)]
fn untracked<T: FlowMemory>(asked: &Question, now: u32, tables: &T) -> Answer {
    let Slot { current, home, .. } = asked.slot;
    if !asked.slot.is_armed() || home == current {
        return Answer::To(current);
    }
    if home == 0 {
        let gone = asked.has(Question::RESETS);
        return if gone { Answer::Reset } else { Answer::To(current) };
    }
    if !tables.target(home).is_some_and(lb_common::Target::is_routable) {
        return Answer::To(current);
    }
    tables.note(Fact::Home);
    exception(home, asked, now, tables)
}

/// Sends a packet to a target; if that is not the current owner, the slot has to stay armed.
#[inline(always)]
fn exception<T: FlowMemory>(target: u16, asked: &Question, now: u32, tables: &T) -> Answer {
    if asked.slot.is_armed() && target != asked.slot.current && asked.has(Question::LEARNS) {
        tables.mark_seen(asked.index, now);
    }
    Answer::To(target)
}

/// Seconds that a known flow is remembered after this packet: an eighth more than its timeout, so
/// that the word is written only rarely.
#[inline(always)]
const fn lifetime(asked: &Question) -> u32 {
    let timeout = asked.timeout as u32;
    if asked.has(Question::OPENS) { OPENING } else { timeout + timeout / 8 + 1 }
}

/// Extends the time of a remembered flow, if it is worth a write.
#[inline(always)]
fn keep<T: FlowMemory>(known: Found, owner: Owner, asked: &Question, now: u32, tables: &T) {
    let expires = now.wrapping_add(lifetime(asked));
    let gain = expires.wrapping_sub(owner.expires).cast_signed();
    if asked.has(Question::LEARNS) && gain > i32::from(asked.timeout / 8) {
        let longer = Owner { expires, ..owner };
        // Another CPU's packet may have been faster: the next packet will do the same.
        let _written = tables.swap_owner(known.place, known.word, longer.to_word());
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use lb_common::{Target, limits::MEMORY_LINES_MIN};

    use super::*;
    use crate::host::MemoryTables;

    const TIMEOUT: u16 = 120;

    /// Tables with a small memory, and a target.
    fn tables() -> MemoryTables {
        let mut tables = MemoryTables::default();
        tables.memory.mask = MEMORY_LINES_MIN as u32 - 1;
        let flags = Target::VALID | Target::RESOLVED | Target::ROUTABLE | Target::ACCEPTING;
        tables.targets.insert(1, Target { flags, ..Target::default() });
        tables.targets.insert(2, Target { flags, ..Target::default() });
        tables
    }

    fn at(tables: &MemoryTables, second: u64) {
        tables.now.set(second * 1_000_000_000);
    }

    /// A packet of a listener that tracks all, whose slot is this target's now.
    fn datagram(hash: u64, current: u16) -> Question {
        let slot = Slot::unarmed(current);
        let flags = Question::LEARNS | Question::TRACKED;
        Question { hash, slot, index: 0, timeout: TIMEOUT, flags }
    }

    fn syn(hash: u64) -> Question {
        let slot = Slot { current: 1, home: 2, epoch: 1, flags: Slot::ARMED };
        let flags = Question::LEARNS | Question::OPENS;
        Question { hash, slot, index: 0, timeout: 350, flags }
    }

    fn hash(number: u64) -> u64 {
        crate::siphash::siphash13([1, 2], &[number])
    }

    #[test]
    fn a_datagram_is_remembered_for_long_once_a_second_one_came() {
        let tables = tables();
        at(&tables, 1000);
        assert_eq!(answer(&datagram(hash(1), 1), &tables), Answer::To(1));
        assert_eq!(answer(&datagram(hash(2), 1), &tables), Answer::To(1));
        at(&tables, 1019);
        assert_eq!(answer(&datagram(hash(2), 2), &tables), Answer::To(1), "it is known");
        at(&tables, 1021);
        assert_eq!(answer(&datagram(hash(1), 2), &tables), Answer::To(2), "it was the only one");
        at(&tables, 1019 + u64::from(TIMEOUT));
        assert_eq!(answer(&datagram(hash(2), 2), &tables), Answer::To(1));
    }

    #[test]
    fn a_flood_of_datagrams_leaves_places_and_budget_to_tcp() {
        let tables = tables();
        let places = MEMORY_LINES_MIN as u64 * 4;
        let mut now = 1000;
        at(&tables, now);
        // Each second what a CPU may remember, and more, for as long as one packet is remembered.
        for number in 0..16 * places {
            if number % (places / 8) == 0 && now < 1015 {
                now += 1;
                at(&tables, now);
            }
            let _target = answer(&datagram(hash(number), 1), &tables);
        }
        let kept = |word: u64| !memory::is_over(word, now as u32);
        let lines = tables.memory.lines.borrow();
        let taken: Vec<usize> = lines
            .values()
            .map(|line| line.entries.iter().filter(|entry| kept(entry.owner)).count())
            .collect();
        assert!(taken.iter().all(|count| *count <= 3), "a place of each line is for others");
        assert!(taken.iter().sum::<usize>() as u64 > places / 2, "the flood has filled the rest");
        drop(lines);
        let before = tables.counters.borrow().get(&Counter::FlowNotRemembered.index()).copied();
        for number in 0..places / 256 {
            assert_eq!(answer(&syn(hash(1 << 40 | number)), &tables), Answer::To(1));
        }
        let after = tables.counters.borrow().get(&Counter::FlowNotRemembered.index()).copied();
        assert_eq!(before, after, "every connection is remembered");
    }

    /// docs/consistency.md has these numbers.
    #[test]
    fn the_flow_memory_holds_the_documented_number_of_flows() {
        let places = MEMORY_LINES_MIN as u64 * 4;
        for (question, first, at_full) in [
            (syn as fn(u64) -> Question, 30..=55, 5..=11),
            (|hash| datagram(hash, 1), 10..=30, 22..=32),
        ] {
            let tables = tables();
            let (mut refused, mut first_refusal) = (0, None);
            for number in 0..places {
                // The budget of a CPU does not matter here.
                tables.buckets.borrow_mut().clear();
                at(&tables, 1000);
                let before = tables.counters.borrow().clone();
                let _target = answer(&question(hash(number)), &tables);
                let counter = Counter::FlowNotRemembered.index();
                if tables.counters.borrow().get(&counter) != before.get(&counter) {
                    refused += 1;
                    first_refusal.get_or_insert(number * 100 / places);
                }
            }
            let (refused, first_refusal) = (refused * 100 / places, first_refusal.unwrap());
            assert!(first.contains(&first_refusal), "first refusal at {first_refusal} %");
            assert!(at_full.contains(&refused), "{refused} % refused at full");
        }
    }
}
