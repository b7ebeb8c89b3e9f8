//! Notifications to the service manager through sd_notify(3): ready, reloading, stopping, a status
//! line, and the watchdog of the main loop. Without a service manager nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{self, Instant};

/// The status line changes at most this often: it is for people.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// What was said, and what is due.
#[derive(Debug)]
pub struct Readiness {
    enabled: bool,
    /// Half of the time after which the service manager takes the loop for hung.
    ping_interval: Option<Duration>,
    next_ping: Instant,
    ready: bool,
    reloading: bool,
    status: String,
    next_status: Instant,
}

impl Readiness {
    /// As the environment has it: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[must_use]
    pub fn from_environment() -> Self {
        let enabled = std::env::var_os("NOTIFY_SOCKET").is_some();
        Self::new(enabled, sd_notify::watchdog_enabled().filter(|_| enabled))
    }

    fn new(enabled: bool, watchdog: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            enabled,
            ping_interval: watchdog.filter(|time| !time.is_zero()).map(|time| time / 2),
            next_ping: now,
            ready: false,
            reloading: false,
            status: String::new(),
            next_status: now,
        }
    }

    /// Wakes a loop that has nothing to do in time for the next sign of life.
    pub async fn wake(&self) {
        match self.ping_interval {
            Some(_) => time::sleep_until(self.next_ping).await,
            None => std::future::pending().await,
        }
    }

    /// Every turn of the main loop comes here, and nothing else does: a loop that hangs says
    /// nothing. `done` tells whether the maps hold what they should.
    pub fn report(&mut self, done: bool, status: impl FnOnce() -> String) {
        if self.enabled {
            let said = self.due(done, Instant::now(), status);
            self.notify(&said);
        }
    }

    /// A configuration is about to be read again; the next [`Self::report`] ends it.
    pub fn reloading(&mut self) {
        if !self.ready {
            return;
        }
        self.reloading = true;
        // Type=notify-reload of systemd 253 wants to know when.
        let said = match NotifyState::monotonic_usec_now() {
            Ok(when) => format!("{}\n{when}", NotifyState::Reloading),
            Err(_) => NotifyState::Reloading.to_string(),
        };
        self.notify(&[said]);
    }

    /// The process is stopping.
    pub fn stopping(&self) {
        self.notify(&[NotifyState::Stopping.to_string()]);
    }

    /// What to say at this time.
    fn due(&mut self, done: bool, now: Instant, status: impl FnOnce() -> String) -> Vec<String> {
        let mut said = Vec::new();
        // A reload is over even if the kernel has refused a write: that is tried again, and a
        // service manager that waited for it would kill the agent.
        if self.reloading || (done && !self.ready) {
            self.ready = true;
            self.reloading = false;
            said.push(NotifyState::Ready.to_string());
        }
        if let Some(interval) = self.ping_interval
            && now >= self.next_ping
        {
            self.next_ping = now + interval;
            said.push(NotifyState::Watchdog.to_string());
        }
        if now >= self.next_status {
            self.next_status = now + STATUS_INTERVAL;
            let status = status();
            if status != self.status {
                said.push(NotifyState::Status(&status).to_string());
                self.status = status;
            }
        }
        said
    }

    fn notify(&self, said: &[String]) {
        if !self.enabled || said.is_empty() {
            return;
        }
        let text = said.join("\n");
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&text)]) {
            tracing::warn!(%error, "cannot notify the service manager: {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn due(readiness: &mut Readiness, done: bool, now: Instant, status: &str) -> String {
        readiness.due(done, now, || status.to_owned()).join(" ")
    }

    #[tokio::test]
    async fn notifications_are_sent_when_they_are_due() {
        let start = Instant::now();
        let mut readiness = Readiness::new(true, Some(4 * SECOND));
        // Time, whether the maps are right, whether a reload has begun, status, what is said.
        let cases = [
            (0, false, false, "a", "WATCHDOG=1 STATUS=a"),
            (1, true, false, "a", "READY=1"),
            (2, true, false, "b", "WATCHDOG=1 STATUS=b"),
            (2, true, false, "c", ""),
            (3, false, false, "c", "STATUS=c"),
            (3, true, true, "c", "READY=1"),
            (3, false, true, "c", "READY=1"),
            (9, true, false, "c", "WATCHDOG=1"),
            (10, true, false, "c", ""),
            (11, true, false, "c", "WATCHDOG=1"),
        ];
        for (at, done, reloading, status, expected) in cases {
            readiness.reloading = reloading;
            // The clock of the first sign of life was read before `start` or at it.
            let now = start + at * SECOND + Duration::from_millis(1);
            assert_eq!(due(&mut readiness, done, now, status), expected, "at {at} s");
        }
    }

    #[tokio::test]
    async fn without_a_watchdog_there_is_nothing_to_wake_for() {
        for watchdog in [None, Some(Duration::ZERO)] {
            let mut readiness = Readiness::new(true, watchdog);
            let now = Instant::now();
            assert_eq!(due(&mut readiness, true, now, ""), "READY=1");
            let woken = time::timeout(Duration::from_millis(5), readiness.wake()).await;
            assert!(woken.is_err(), "{watchdog:?}");
        }
    }
}
