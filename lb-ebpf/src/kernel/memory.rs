//! The BPF maps as [`FlowMemory`].

use core::ptr::{read_volatile, write_volatile};

use lb_common::{
    Memory, MemoryLine,
    limits::RING_SLOTS_MAX,
    memory::{MEMORY_WORDS, Seen},
};
use lb_ebpf::memory::{FlowMemory, Lines};

use super::{
    atomic, direct, maps,
    mask::masked,
    run::{KernelTables, Run},
    settings,
};

/// An entry of the memory; `None` when there is no such place.
#[inline(always)]
fn entry(place: u32) -> Option<*mut Memory> {
    let line = maps::MEMORY.get_ptr_mut(place / MEMORY_WORDS as u32)?;
    // SAFETY: the number is below that of a line's entries.
    Some(unsafe { line.cast::<Memory>().add(masked::<{ MEMORY_WORDS - 1 }>(place as usize)) })
}

impl<R: Run> Lines for KernelTables<R> {
    type Line<'tables>
        = &'tables MemoryLine
    where
        R: 'tables;

    #[inline(always)]
    fn memory_mask(&self) -> u32 {
        settings::memory_mask()
    }

    #[inline(always)]
    fn memory_line(&self, line: u32) -> Option<&MemoryLine> {
        maps::MEMORY.get(line)
    }

    #[inline(always)]
    fn swap_owner(&self, place: u32, old: u64, new: u64) -> bool {
        if R::is_dry() {
            return true;
        }
        match entry(place) {
            // SAFETY: into the map, aligned.
            Some(entry) => unsafe { atomic::compare_exchange(&raw mut (*entry).owner, old, new) },
            None => false,
        }
    }

    #[inline(always)]
    fn write_hash(&self, place: u32, hash: u64) {
        if R::is_dry() {
            return;
        }
        if let Some(entry) = entry(place) {
            // SAFETY: into the map, aligned.
            unsafe { write_volatile(&raw mut (*entry).hash, hash) };
        }
    }
}

impl<R: Run> FlowMemory for KernelTables<R> {
    #[inline(always)]
    fn mark_seen(&self, slot: u32, now: u32) {
        if R::is_dry() {
            return;
        }
        let seen = direct::element::<Seen>();
        // SAFETY: masked, so inside the array. A second that is there already need not be written:
        // the line stays shared between CPUs.
        unsafe {
            let place = seen.cast::<u32>().add(masked::<{ RING_SLOTS_MAX - 1 }>(slot as usize));
            if read_volatile(place) != now {
                write_volatile(place, now);
            }
        }
    }
}
