//! Counters of the scheduler, for `status`. They describe this agent, not the targets.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::histogram::Histogram;

/// A probe that starts later than this after it was due is counted as late: the agent has too
/// little CPU, or something blocks its threads.
pub(super) const LATE_MIN: Duration = Duration::from_millis(100);

/// Live counters; shared with the tasks of the probes.
#[derive(Debug, Default)]
pub struct SchedulerStats {
    started: AtomicU64,
    failed: AtomicU64,
    inconclusive: AtomicU64,
    late: AtomicU64,
    lateness_max_us: AtomicU64,
    lateness: Histogram,
}

/// Counters since the agent started, at one moment. Each is exact, but they are not read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StatsSnapshot {
    /// Probes started.
    pub probes_started: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Probes that this host could not make; see [`super::Outcome::Inconclusive`].
    pub probes_inconclusive: u64,
    /// Probes that started more than 100 ms after they were due.
    pub probes_late: u64,
    /// The longest delay of a probe, in microseconds.
    pub lateness_max_us: u64,
    /// The delay that half of the probes do not exceed, in microseconds; up to a quarter too long.
    pub lateness_p50_us: u64,
    /// The delay that 99 of 100 probes do not exceed.
    pub lateness_p99_us: u64,
}

impl SchedulerStats {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            probes_started: self.started.load(Relaxed),
            probes_failed: self.failed.load(Relaxed),
            probes_inconclusive: self.inconclusive.load(Relaxed),
            probes_late: self.late.load(Relaxed),
            lateness_max_us: self.lateness_max_us.load(Relaxed),
            lateness_p50_us: self.lateness.quantile(500),
            lateness_p99_us: self.lateness.quantile(990),
        }
    }

    pub(super) fn count_started(&self, lateness: Duration) {
        self.started.fetch_add(1, Relaxed);
        let lateness_us = u64::try_from(lateness.as_micros()).unwrap_or(u64::MAX);
        self.lateness_max_us.fetch_max(lateness_us, Relaxed);
        self.lateness.add(lateness_us);
        if lateness > LATE_MIN {
            self.late.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn count_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Returns how many there have been, this one included.
    pub(super) fn count_inconclusive(&self) -> u64 {
        self.inconclusive.fetch_add(1, Relaxed) + 1
    }
}
