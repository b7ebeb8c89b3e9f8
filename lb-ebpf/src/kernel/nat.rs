//! The BPF maps as [`NatTables`].

use core::ptr::{read_volatile, write_volatile};

use lb_common::{
    Binding, ClientLink, Family, FlowLine, Pool, Turns,
    nat::{FLOW_WORDS, POOL_PLACES, Pools, flow_lines},
};
use lb_ebpf::{
    Datagram,
    nat::{
        NatTables,
        choice::Choice,
        source::{Candidate, Source},
        table::FlowLines,
    },
};

use super::{
    atomic::{compare_exchange, fetch_add},
    direct, maps,
    mask::masked,
    nat_stages,
    run::{KernelTables, Run},
    settings,
};

impl<R: Run> FlowLines for KernelTables<R> {
    type Line<'tables>
        = &'tables FlowLine
    where
        R: 'tables;

    #[inline(always)]
    fn line_mask(&self) -> u32 {
        flow_lines(settings::binding_mask() as usize + 1) as u32 - 1
    }

    #[inline(always)]
    fn flow_line(&self, line: u32) -> Option<&FlowLine> {
        maps::FLOWS.get(line)
    }

    #[inline(always)]
    fn swap_flow_word(&self, line: u32, word: u32, old: u64, new: u64) -> bool {
        if R::is_dry() {
            return true;
        }
        match maps::FLOWS.get_ptr_mut(line) {
            // SAFETY: into the map, aligned; the number is masked.
            Some(place) => unsafe {
                let word = masked::<{ FLOW_WORDS - 1 }>(word as usize);
                compare_exchange(place.cast::<u64>().add(word), old, new)
            },
            None => false,
        }
    }
}

impl<R: Run> NatTables for KernelTables<R> {
    #[inline(always)]
    fn pool(&self, place: usize) -> Pool {
        let pools = direct::element::<Pools>();
        // SAFETY: masked, so inside the array. The agent waits for packets that have read a pool that goes.
        unsafe { read_volatile(pools.cast::<Pool>().add(masked::<{ POOL_PLACES - 1 }>(place))) }
    }

    #[inline(always)]
    fn pools_end(&self, family: Family) -> u32 {
        // SAFETY: the element.
        let ends = unsafe { read_volatile(&raw const (*direct::element::<Pools>()).ends) };
        let [v4, v6] = ends;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    #[inline(always)]
    fn binding(&self, index: u32) -> Option<&Binding> {
        maps::BINDINGS.get(index)
    }

    #[inline(always)]
    fn write_binding(&self, index: u32, binding: &Binding) {
        if R::is_dry() {
            return;
        }
        if let Some(place) = maps::BINDINGS.get_ptr_mut(index) {
            // SAFETY: into the map. Nobody else uses a binding that was taken from a queue; the
            // life in front is written on its own.
            unsafe {
                let from = (&raw const *binding).cast::<u64>();
                let to = place.cast::<u64>();
                for word in 1..size_of::<Binding>() / 8 {
                    *to.add(word) = *from.add(word);
                }
            }
        }
    }

    #[inline(always)]
    fn follow(&self, flow: &Datagram, index: u32, link: &ClientLink) {
        nat_stages::follow(flow, index, link);
    }

    #[inline(always)]
    fn set_link(&self, index: u32, link: &ClientLink) {
        if R::is_dry() {
            return;
        }
        if let Some(place) = maps::BINDINGS.get_ptr_mut(index) {
            // SAFETY: into the map, aligned.
            unsafe { write_volatile(&raw mut (*place).link, *link) };
        }
    }

    #[inline(always)]
    fn set_sequence(&self, index: u32, word: u64) {
        if R::is_dry() {
            return;
        }
        if let Some(place) = maps::BINDINGS.get_ptr_mut(index) {
            // SAFETY: into the map, aligned.
            unsafe { write_volatile(&raw mut (*place).sequence, word) };
        }
    }

    #[inline(always)]
    fn life(&self, index: u32) -> u64 {
        // SAFETY: into the map; one aligned load.
        maps::BINDINGS
            .get_ptr(index)
            .map_or(0, |place| unsafe { read_volatile(&raw const (*place).life) })
    }

    #[inline(always)]
    fn swap_life(&self, index: u32, old: u64, new: u64) -> bool {
        if R::is_dry() {
            return true;
        }
        match maps::BINDINGS.get_ptr_mut(index) {
            // SAFETY: into the map, aligned.
            Some(place) => unsafe { compare_exchange(&raw mut (*place).life, old, new) },
            None => false,
        }
    }

    #[inline(always)]
    fn taken(&self) -> u32 {
        // SAFETY: the element; one aligned load.
        let taken = unsafe { read_volatile(&raw const (*direct::element::<Turns>()).taken) };
        let all = u64::from(settings::binding_mask()) + 1;
        (if taken < all { taken } else { all }) as u32
    }

    #[inline(always)]
    fn take(&self) -> Option<u32> {
        let taken = self.taken();
        if taken > settings::binding_mask() {
            let taken = if R::is_dry() { maps::FREE.peek() } else { maps::FREE.pop() };
            return taken.ok().flatten();
        }
        if R::is_dry() {
            return Some(taken);
        }
        // SAFETY: the element, aligned.
        let index = unsafe { fetch_add(&raw mut (*direct::element::<Turns>()).taken, 1) };
        // Other CPUs may have taken the last ones.
        if index > u64::from(settings::binding_mask()) { None } else { Some(index as u32) }
    }

    #[inline(always)]
    fn give_back(&self, index: u32) {
        if R::is_dry() {
            return;
        }
        let _room = maps::FREE.push(index, 0);
    }

    #[inline(always)]
    fn hand(&self, steps: u32) -> u32 {
        let hand = direct::element::<Turns>();
        // SAFETY: the element, aligned.
        unsafe {
            let hand = &raw mut (*hand).hand;
            if steps == 0 || R::is_dry() {
                read_volatile(hand) as u32
            } else {
                fetch_add(hand, steps.into()) as u32
            }
        }
    }

    #[inline(always)]
    fn advance(&self, steps: u32, end: u32) -> u32 {
        if R::is_dry() {
            return 0;
        }
        let Some(hand) = maps::HANDS.get_ptr_mut(0) else {
            return 0;
        };
        // SAFETY: this CPU's part of the map, which only this run writes.
        unsafe {
            let start = if *hand < end { *hand } else { 0 };
            *hand = start.wrapping_add(steps);
            start
        }
    }

    #[inline(always)]
    fn evict(&self, now: u32) -> Option<u32> {
        nat_stages::evict(now)
    }

    #[inline(always)]
    fn weigh(&self, choice: Choice, index: u32, now: u32) -> Choice {
        nat_stages::weigh(choice, index, now)
    }

    #[inline(always)]
    fn is_meant(&self, choice: Choice, index: u32, now: u32) -> bool {
        nat_stages::is_meant(choice, index, now)
    }

    #[inline(always)]
    fn take_over(&self, index: u32, now: u32) -> bool {
        nat_stages::take_over(index, now)
    }

    #[inline(always)]
    fn choose_source(&self, flow: &Datagram, target: u16, hash: u64) -> Source {
        nat_stages::choose_source(flow, target, hash)
    }

    #[inline(always)]
    fn candidate(&self, flow: &Datagram, target: u16, position: u32) -> Candidate {
        nat_stages::candidate(flow, target, position)
    }
}
