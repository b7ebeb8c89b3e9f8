//! What BPF can do at once, and the compiler does not know of.

use core::arch::asm;

/// Compare and swap: stores `new` if the value is `old`; `false` otherwise. In assembler, since the
/// compiler does not know that BPF has it (`atomic-cas` of the target is false).
///
/// # Safety
/// `place` is aligned and inside a map.
#[inline(always)]
pub(super) unsafe fn compare_exchange(place: *mut u64, old: u64, new: u64) -> bool {
    let found: u64;
    // SAFETY: the caller's promise.
    unsafe {
        asm!("r0 = cmpxchg_64({place} + 0, r0, {new})", place = in(reg) place, new = in(reg) new,
            inout("r0") old => found, options(nostack));
    }
    found == old
}

/// Adds to a word; gives what stood there.
///
/// # Safety
/// `place` is aligned and inside a map.
#[inline(always)]
pub(super) unsafe fn fetch_add(place: *mut u64, added: u64) -> u64 {
    let found: u64;
    // SAFETY: the caller's promise.
    unsafe {
        asm!("{added} = atomic_fetch_add((u64 *)({place} + 0), {added})", place = in(reg) place,
            added = inout(reg) added => found, options(nostack));
    }
    found
}
