//! PURE: what decisions remember from one to the next; the caller stores it and reads it back.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{moment::Moment, window::Peaks};

/// How many launches must fail in a row before launching stops for a while.
pub const LAUNCH_FAILURES_MAX: u32 = 3;
/// The first pause after so many failed launches. It doubles with each further failure.
pub const BACK_OFF_MIN: Duration = Duration::from_secs(30);
/// The longest pause.
pub const BACK_OFF_MAX: Duration = Duration::from_hours(1);

/// The memory of a group's decisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The needs of each policy, by name.
    pub(crate) needs: BTreeMap<String, Peaks>,
    /// What people or a schedule asked for; it holds like a need.
    pub(crate) requested: Peaks,
    /// Since when all samples are known without a gap.
    pub(crate) observed: Option<Interval>,
    /// Changes of the desired capacity, for rates.
    pub(crate) changes: VecDeque<Change>,
    /// When the last adjustment of a `simple` policy was, and how long it blocks others.
    pub(crate) cooldown: Option<(Moment, Duration)>,
    /// Until when schedules have been looked at.
    pub(crate) schedules_until: Option<Moment>,
    /// The last occurrence of each schedule that was carried out, by policy name.
    pub(crate) schedules_done: BTreeMap<String, Timestamp>,
    /// Launches that failed since the last one that succeeded.
    pub(crate) launch_failures: Option<LaunchFailures>,
    /// The growth that is waited for.
    pub(crate) growth: Option<Growth>,
}

/// An interval of known samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interval {
    pub(crate) since: Moment,
    pub(crate) last: Moment,
}

/// A change of the desired capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) at: Moment,
    pub(crate) from: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaunchFailures {
    pub(crate) count: u32,
    pub(crate) last: Moment,
}

/// How many members were in service when more were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) since: Moment,
    pub(crate) in_service: u32,
}

impl Memory {
    /// The agent has restarted: what happened meanwhile is not known. Nothing is scaled in until
    /// samples fill a whole window again. Needs, cooldown and schedules are kept.
    pub fn restarted(&mut self) {
        self.observed = None;
    }

    /// A launch has failed.
    pub fn launch_failed(&mut self, now: Moment) {
        let count = self.launch_failures.map_or(0, |failures| failures.count).saturating_add(1);
        self.launch_failures = Some(LaunchFailures { count, last: now });
    }

    /// A launch has succeeded: failures are counted from zero.
    pub fn launch_succeeded(&mut self) {
        self.launch_failures = None;
    }

    /// How long launching pauses; `None` if it does not.
    #[must_use]
    pub fn launch_pause(&self, now: Moment) -> Option<Duration> {
        let failures = self.launch_failures?;
        let doublings = failures.count.checked_sub(LAUNCH_FAILURES_MAX)?;
        let pause = BACK_OFF_MIN.saturating_mul(1 << doublings.min(16)).min(BACK_OFF_MAX);
        pause.checked_sub(now.since(&failures.last)).filter(|left| !left.is_zero())
    }

    /// Notes that people or a schedule asked for a capacity. Earlier requests no longer hold.
    pub(crate) fn request(&mut self, capacity: u32, now: Moment, window: Duration) {
        self.requested = Peaks::default();
        self.requested.record(f64::from(capacity), now, window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launching_pauses_longer_with_each_failure() {
        let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let seconds = Duration::from_secs;
        let mut memory = Memory::default();
        // The pause right after the n-th failure, in seconds.
        let pauses = [0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600];
        for (failures, pause) in (1..).zip(pauses) {
            memory.launch_failed(start);
            let expected = (pause > 0).then(|| seconds(pause));
            assert_eq!(memory.launch_pause(start), expected, "{failures} failures");
        }
        assert_eq!(memory.launch_pause(start.after(seconds(3599))), Some(seconds(1)));
        assert_eq!(memory.launch_pause(start.after(seconds(3600))), None);
        memory.launch_succeeded();
        memory.launch_failed(start);
        assert_eq!(memory.launch_pause(start), None, "counted from zero");
    }
}
