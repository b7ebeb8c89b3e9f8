//! How many file descriptors probes may hold at a time. The others are for the rest of the agent:
//! its configuration file, its API, its maps. Who counts them is not decided here.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use lb_config::HealthProtocol;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{NoDescriptor, stats::LATE_MIN};

/// Descriptors of a program that runs: two ends of two pipes, one of its start, one of its end.
const PROGRAM: u32 = 6;

/// Fewer are never allowed: a program must be able to run.
const ALLOWED_MIN: usize = 2 * PROGRAM as usize;

/// Descriptors for probes.
#[derive(Debug)]
pub struct Descriptors {
    free: Semaphore,
    allowed: Mutex<usize>,
    late: AtomicU64,
    longest_ms: AtomicU64,
    /// Probes that the whole host had no descriptor for.
    refused_by_host: AtomicU64,
}

/// Probes that have waited for a descriptor for so long that they were late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How many there were.
    pub probes: u64,
    /// The longest wait.
    pub longest: Duration,
    /// Times that the whole host had none, whatever this process may have.
    pub refused_by_host: u64,
}

impl Default for Descriptors {
    /// As many as one likes.
    fn default() -> Self {
        let allowed = Semaphore::MAX_PERMITS / 2;
        Self {
            free: Semaphore::new(allowed),
            allowed: Mutex::new(allowed),
            late: AtomicU64::new(0),
            longest_ms: AtomicU64::new(0),
            refused_by_host: AtomicU64::new(0),
        }
    }
}

impl Descriptors {
    /// Lets probes hold so many from now on.
    pub fn allow(&self, wanted: usize) {
        let wanted = wanted.clamp(ALLOWED_MIN, Semaphore::MAX_PERMITS / 2);
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted > *allowed {
            self.free.add_permits(wanted - *allowed);
            *allowed = wanted;
        } else {
            // Those that are held are taken away when this is said again.
            *allowed -= self.free.forget_permits(*allowed - wanted);
        }
    }

    /// How many probes may hold.
    #[must_use]
    pub fn allowed(&self) -> usize {
        *self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many probes hold.
    #[must_use]
    pub fn held(&self) -> usize {
        self.allowed().saturating_sub(self.free.available_permits())
    }

    /// The waits since this was last asked.
    #[must_use]
    pub fn take_waits(&self) -> Waits {
        Waits {
            probes: self.late.swap(0, Relaxed),
            longest: Duration::from_millis(self.longest_ms.swap(0, Relaxed)),
            refused_by_host: self.refused_by_host.swap(0, Relaxed),
        }
    }

    /// A probe was refused a descriptor, and waits, so far for this long. It is counted the first time.
    pub(super) fn lacked(&self, who: NoDescriptor, waited: Duration, first: bool) {
        if first {
            self.late.fetch_add(1, Relaxed);
        }
        if who == NoDescriptor::Host {
            self.refused_by_host.fetch_add(1, Relaxed);
        }
        self.note(waited);
    }

    fn note(&self, waited: Duration) {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.longest_ms.fetch_max(waited_ms, Relaxed);
    }

    /// Waits until a probe may have what it needs; first come, first served.
    pub(super) async fn take(&self, protocol: &HealthProtocol) -> Option<SemaphorePermit<'_>> {
        let count = match protocol {
            HealthProtocol::Exec(_) => PROGRAM,
            _ => 1,
        };
        if let Ok(permit) = self.free.try_acquire_many(count) {
            return Some(permit);
        }
        let since = Instant::now();
        // It is never closed.
        let permit = self.free.acquire_many(count).await.ok();
        let waited = since.elapsed();
        if waited > LATE_MIN {
            self.late.fetch_add(1, Relaxed);
            self.note(waited);
        }
        permit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn probes_wait_for_a_free_one_and_are_counted() {
        let descriptors = Descriptors::default();
        descriptors.allow(12);
        let mut held = Vec::new();
        for _ in 0..12 {
            held.push(descriptors.take(&HealthProtocol::Tcp).await);
        }
        assert_eq!((descriptors.allowed(), descriptors.held()), (12, 12));
        let wait = descriptors.take(&HealthProtocol::Tcp);
        let free = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            held.pop();
        };
        let (permit, ()) = tokio::join!(wait, free);
        assert_eq!(
            descriptors.take_waits(),
            Waits { probes: 1, longest: Duration::from_secs(3), refused_by_host: 0 }
        );
        assert_eq!(descriptors.take_waits(), Waits::default());
        drop((permit, held));
        assert_eq!(descriptors.held(), 0);
    }

    #[tokio::test]
    async fn fewer_are_allowed_when_the_others_are_given_back() {
        let descriptors = Descriptors::default();
        descriptors.allow(100);
        let held = descriptors.take(&HealthProtocol::Tcp).await;
        for (wanted, allowed) in [(20, 20), (0, ALLOWED_MIN), (50, 50)] {
            descriptors.allow(wanted);
            assert_eq!((descriptors.allowed(), descriptors.held()), (allowed, 1));
        }
        drop(held);
        assert_eq!(descriptors.held(), 0);
    }
}
