//! Load-time globals, as `lb_common::settings` lists them.

use lb_common::{limits::MEMORY_LINES, nat::BINDINGS};
use lb_ebpf::flow_hash::KEYS;

/// See [`lb_common::settings::HASH_KEYS`].
#[unsafe(no_mangle)]
static HASH_KEYS: [u64; KEYS] = [0; KEYS];

/// See [`lb_common::settings::DRY_RUN`].
#[unsafe(no_mangle)]
static DRY_RUN: u32 = 0;

/// See [`lb_common::settings::MEMORY_MASK`].
#[unsafe(no_mangle)]
static MEMORY_MASK: u32 = MEMORY_LINES as u32 - 1;

/// See [`lb_common::settings::BINDING_MASK`].
#[unsafe(no_mangle)]
static BINDING_MASK: u32 = BINDINGS as u32 - 1;

/// How many bindings there are, less one.
#[inline(always)]
pub(crate) fn binding_mask() -> u32 {
    // SAFETY: a static is valid; volatile, since it is set before the program is loaded.
    unsafe { core::ptr::read_volatile(&raw const BINDING_MASK) }
}

/// Lines of the memory of flows, less one.
#[inline(always)]
pub(crate) fn memory_mask() -> u32 {
    // SAFETY: a static is valid; volatile, since it is set before the program is loaded.
    unsafe { core::ptr::read_volatile(&raw const MEMORY_MASK) }
}

/// Whether nothing may be written. The verifier knows the answer and takes out what it rules out.
#[inline(always)]
pub(crate) fn dry_run() -> bool {
    // SAFETY: a static is valid; volatile, since it is set before the program is loaded.
    unsafe { core::ptr::read_volatile(&raw const DRY_RUN) != 0 }
}

/// A word of the key that the agent set before it loaded the program; zero if there is none.
#[inline(always)]
pub(crate) fn hash_key(index: usize) -> u64 {
    match HASH_KEYS.get(index) {
        // SAFETY: a static is valid; volatile, since the compiler must not believe the zeros above.
        Some(key) => unsafe { core::ptr::read_volatile(key) },
        None => 0,
    }
}
