//! Load-time globals, as `lb_common::settings` lists them.

use lb_ebpf::flow_hash::KEYS;

/// See [`lb_common::settings::HASH_KEYS`].
#[unsafe(no_mangle)]
static HASH_KEYS: [u64; KEYS] = [0; KEYS];

/// See [`lb_common::settings::DRY_RUN`].
#[unsafe(no_mangle)]
static DRY_RUN: u32 = 0;

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
