//! The clock that the data path has, too: CLOCK_MONOTONIC, in whole seconds.

use nix::time::{ClockId, clock_gettime};

/// The second that it is, modulo 2^32; 0 if the kernel had no such clock.
#[must_use]
pub fn seconds() -> u32 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.tv_sec());
    // Modulo 2^32 as the data path's: 136 years of uptime.
    u32::try_from(now.rem_euclid(1 << 32)).unwrap_or(0)
}
