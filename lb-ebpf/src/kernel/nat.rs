//! The BPF maps as [`NatTables`].

use core::ptr::{read_volatile, write_volatile};

use lb_common::{
    Binding, ClientLink, FlowLine, Pool,
    nat::{POOL_PLACES, Pools, Queue},
};
use lb_ebpf::{Datagram, nat::NatTables};

use super::{
    atomic::compare_exchange, direct, maps, mask::masked, run::Run, stages, tables::KernelTables,
};

impl<R: Run> NatTables for KernelTables<R> {
    #[inline(always)]
    fn pool(&self, number: usize) -> Pool {
        let pools = direct::element::<Pools>();
        // SAFETY: masked, so inside the array. The agent writes a pool before anything leads to it.
        unsafe { read_volatile(pools.cast::<Pool>().add(masked::<{ POOL_PLACES - 1 }>(number))) }
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
        stages::follow(flow, index, link);
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
                compare_exchange(place.cast::<u64>().add(masked::<7>(word as usize)), old, new)
            },
            None => false,
        }
    }

    #[inline(always)]
    fn take_free(&self, queue: Queue) -> Option<u32> {
        let map = match queue {
            Queue::Nat => &maps::FREE_NAT,
            Queue::V4 => &maps::FREE_V4,
            Queue::V6 => &maps::FREE_V6,
        };
        let taken = if R::is_dry() { map.peek() } else { map.pop() };
        taken.ok().flatten()
    }

    #[inline(always)]
    fn give_back(&self, queue: Queue, index: u32) {
        if R::is_dry() {
            return;
        }
        let _room = match queue {
            Queue::Nat => maps::FREE_NAT.push(index, 0),
            Queue::V4 => maps::FREE_V4.push(index, 0),
            Queue::V6 => maps::FREE_V6.push(index, 0),
        };
    }

    #[inline(always)]
    fn evict(&self, queue: Queue) -> Option<u32> {
        stages::evict(queue)
    }

    #[inline(always)]
    fn spare(&self, index: u32, now: u32) -> u32 {
        stages::spare(index, now)
    }

    #[inline(always)]
    fn advance(&self, pool: usize, steps: u32) -> u32 {
        if R::is_dry() {
            return 0;
        }
        let Some(hand) = maps::HANDS.get_ptr_mut(pool as u32) else {
            return 0;
        };
        // SAFETY: this CPU's part of the map, which only this run writes.
        unsafe {
            let start = *hand;
            *hand = start.wrapping_add(steps);
            start
        }
    }
}
