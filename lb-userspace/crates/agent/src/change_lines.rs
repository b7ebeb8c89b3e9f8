//! Log lines of changes through the API. They are limited for each caller, since one change may
//! have thousands of warnings, and the next one the same.

use std::time::{Duration, Instant};

use lb_config::Warning;
use lb_log::limit::{LineLimit, LineRate};

/// Lines about the changes of one caller, and of all.
const RATE: LineRate = LineRate { all: 60, one: 20, window: Duration::from_secs(10) };

/// Lines about changes.
#[derive(Debug)]
pub(super) struct ChangeLines(LineLimit<String>);

impl Default for ChangeLines {
    fn default() -> Self {
        Self(LineLimit::new(RATE))
    }
}

impl ChangeLines {
    /// Logs the warnings of a configuration that has become the desired state.
    pub(super) fn warn(&mut self, who: &str, warnings: &[Warning], now: Instant) {
        for warning in self.admitted(who, warnings, now) {
            tracing::warn!("{warning}");
        }
    }

    /// Logs a change, with the reason that was given.
    pub(super) fn done(&mut self, who: &str, said: &str, message: &str, now: Instant) {
        if self.0.may(who.to_owned(), now) {
            let said = said.lines().next().unwrap_or_default();
            let why = if message.is_empty() { String::new() } else { format!(" ({message})") };
            tracing::info!("{who}: {said}{why}");
        }
    }

    fn admitted<'new, T>(&mut self, who: &str, lines: &'new [T], now: Instant) -> Vec<&'new T> {
        lines.iter().filter(|_| self.0.may(who.to_owned(), now)).collect()
    }

    /// Logs how many lines were left out; to be called now and then.
    pub(super) fn log_left_out(&mut self, now: Instant) {
        if let Some(left_out) = self.0.take_left_out(now) {
            tracing::warn!(
                "{left_out} more lines about changes were not logged; `xelb get revisions` lists \
                 changes, and `xelb validate` shows warnings"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_caller_do_not_fill_the_log() {
        let mut lines = ChangeLines::default();
        let now = Instant::now();
        let warnings: Vec<u32> = (0..4000).collect();
        let mut written = 0;
        for _ in 0..70 {
            written += lines.admitted("ann", &warnings, now).len();
        }
        assert_eq!(written, 20);
        assert_eq!(lines.admitted("bob", &warnings, now).len(), 20);
        assert_eq!(lines.0.take_left_out(now + RATE.window), Some(71 * 4000 - 40));
    }
}
