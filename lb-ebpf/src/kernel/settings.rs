//! Load-time globals, as `lb_common::settings` lists them.

/// See [`lb_common::settings::HASH_SEED`].
#[unsafe(no_mangle)]
static HASH_SEED: [u64; 2] = [0; 2];

/// See [`lb_common::settings::DRY_RUN`].
#[unsafe(no_mangle)]
static DRY_RUN: u32 = 0;

/// Whether nothing may be written. The verifier knows the answer and takes out what it rules out.
#[inline(always)]
pub(crate) fn dry_run() -> bool {
    // SAFETY: a static is valid; volatile, since it is set before the program is loaded.
    unsafe { core::ptr::read_volatile(&raw const DRY_RUN) != 0 }
}

/// The seed that the agent set before it loaded the program.
#[inline(always)]
pub(crate) fn hash_seed() -> [u64; 2] {
    // SAFETY: a static is valid; volatile, since the compiler must not believe the zeros above.
    unsafe { core::ptr::read_volatile(&raw const HASH_SEED) }
}
