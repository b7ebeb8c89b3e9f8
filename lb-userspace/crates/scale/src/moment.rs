//! PURE: an instant on two clocks. Nothing here reads a clock: callers hand moments in.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant, on the boot clock and on the wall clock.
///
/// Durations are measured on the boot clock (`CLOCK_BOOTTIME`), which nobody sets. The wall clock
/// is for schedules, for people, and for comparing moments of two boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Which boot `boot` belongs to, for example a hash of `/proc/sys/kernel/random/boot_id`.
    pub boot_id: u64,
    /// Time since that boot.
    pub boot: Duration,
    /// Time of day.
    pub wall: Timestamp,
}

impl Moment {
    /// How long ago `earlier` was.
    ///
    /// Within one boot, that is the difference of the boot clocks, so setting the wall clock
    /// changes nothing. Across boots, the shorter one counts of the wall clocks' difference and the
    /// time since this boot. It is zero if `earlier` is later.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        if self.boot_id == earlier.boot_id {
            return self.boot.saturating_sub(earlier.boot);
        }
        self.wall_since(earlier).min(self.boot)
    }

    /// How far the wall clock has moved on since `earlier`; zero if it went back.
    #[must_use]
    pub fn wall_since(&self, earlier: &Self) -> Duration {
        Duration::try_from(self.wall.duration_since(earlier.wall)).unwrap_or_default()
    }

    /// The moment that comes `duration` later on both clocks. The wall clock stops at its last
    /// representable instant, in the year 9999.
    #[must_use]
    pub fn after(&self, duration: Duration) -> Self {
        Self {
            boot_id: self.boot_id,
            boot: self.boot.saturating_add(duration),
            wall: self.wall.checked_add(duration).unwrap_or(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(boot_id: u64, boot: u64, wall: i64) -> Moment {
        let wall = Timestamp::from_second(wall).unwrap();
        Moment { boot_id, boot: Duration::from_secs(boot), wall }
    }

    #[test]
    fn elapsed_time_by_boot_and_wall_clock() {
        // (earlier, later, seconds, what the case is)
        let cases = [
            (moment(1, 100, 1000), moment(1, 160, 1060), 60, "both clocks agree"),
            (moment(1, 100, 1000), moment(1, 160, 90_000), 60, "the wall clock jumped forward"),
            (moment(1, 100, 90_000), moment(1, 160, 1000), 60, "the wall clock jumped back"),
            (moment(1, 160, 1000), moment(1, 100, 1000), 0, "the earlier one is later"),
            (moment(1, 9000, 1000), moment(2, 300, 1100), 100, "reboot: the wall clock is shorter"),
            (moment(1, 9000, 1000), moment(2, 30, 90_000), 30, "reboot: the boot clock is shorter"),
            (moment(1, 9000, 5000), moment(2, 30, 1000), 0, "reboot: the wall clock went back"),
        ];
        for (earlier, later, expected, case) in cases {
            assert_eq!(later.since(&earlier), Duration::from_secs(expected), "{case}");
        }
    }

    #[test]
    fn a_later_moment_is_later_on_both_clocks() {
        let start = moment(1, 100, 1000);
        assert_eq!(start.after(Duration::from_secs(5)), moment(1, 105, 1005));
        assert_eq!(start.after(Duration::MAX).wall, Timestamp::MAX);
    }
}
