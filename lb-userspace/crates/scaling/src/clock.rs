//! Reads the clocks that decisions are made with: they take moments, and read none themselves.

use std::{fs, time::Duration};

use jiff::Timestamp;
use lb_scale::Moment;
use nix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};

/// The clocks of this boot.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot_id: u64,
}

impl Clock {
    /// The clocks of this boot. Without `/proc`, every start counts as a boot of its own.
    #[must_use]
    pub fn new() -> Self {
        let boot = fs::read("/proc/sys/kernel/random/boot_id");
        Self { boot_id: boot.map_or_else(|_| random(), |boot| number_of(&boot)) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let boot = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
        Moment { boot_id: self.boot_id, boot, wall: Timestamp::now() }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn number_of(text: &[u8]) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A random number that nothing secret depends on.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(Timestamp::now().as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_within_one_boot() {
        let clock = Clock::new();
        let (first, second) = (clock.now(), Clock::new().now());
        assert_eq!(first.boot_id, second.boot_id);
        assert!(second.since(&first) < Duration::from_mins(1) && first.boot > Duration::ZERO);
    }
}
