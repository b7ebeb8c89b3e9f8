//! The log of warnings: a line when one begins, one when it has ended.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lb_plan::warning::{Warning, WarningKind};

/// Lines that are logged at once, of each sort; `xelb status` has them all.
const LINES_MAX: usize = 20;

/// A warning that returns sooner has not ended: a flapping warning causes two lines, not hundreds.
const ENDED_AFTER: Duration = Duration::from_secs(5);

/// What has been logged, and has not ended.
#[derive(Debug, Default)]
pub(super) struct WarningLog(BTreeMap<(WarningKind, String), Logged>);

/// What has begun, and what has ended.
#[derive(Debug, Default)]
pub(super) struct WarningChanges {
    pub(super) begun: Vec<Warning>,
    pub(super) ended: Vec<Warning>,
}

#[derive(Debug)]
struct Logged {
    text: String,
    last_seen: Instant,
}

impl WarningLog {
    /// Logs the difference to what holds now, and gives it.
    pub(super) fn update(&mut self, warnings: &[Warning], now: Instant) -> WarningChanges {
        let begun = self.begun(warnings, now);
        let more = limited(begun.iter(), |warning| {
            tracing::warn!(kind = warning.kind.name(), "{warning}");
        });
        if more > 0 {
            tracing::warn!("{more} more warnings; `xelb status` shows all");
        }
        let begun = begun.into_iter().cloned().collect();
        let ended = self.ended(now);
        let more = limited(ended.iter(), |Warning { kind, text, .. }| {
            tracing::info!(kind = kind.name(), "warning has ended: {text}");
        });
        if more > 0 {
            tracing::info!("{more} more warnings have ended");
        }
        WarningChanges { begun, ended }
    }

    /// Takes over what holds now; gives what is new.
    fn begun<'new>(&mut self, warnings: &'new [Warning], now: Instant) -> Vec<&'new Warning> {
        let new = |warning: &&Warning| {
            let Warning { kind, subject, text, .. } = *warning;
            let logged = Logged { text: text.clone(), last_seen: now };
            self.0.insert((*kind, subject.clone()), logged).is_none()
        };
        warnings.iter().filter(new).collect()
    }

    /// Forgets what has not been seen for long enough, and gives it.
    fn ended(&mut self, now: Instant) -> Vec<Warning> {
        let old = |_: &_, logged: &mut Logged| {
            now.saturating_duration_since(logged.last_seen) >= ENDED_AFTER
        };
        let ended = self.0.extract_if(.., old);
        ended.map(|((kind, subject), logged)| Warning::new(kind, subject, logged.text)).collect()
    }
}

/// Does this with the first ones; gives the number of the others.
fn limited<T>(mut all: impl Iterator<Item = T>, log: impl FnMut(T)) -> usize {
    all.by_ref().take(LINES_MAX).for_each(log);
    all.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_few_lines_there_is_a_number() {
        for (count, left) in [(0, 0), (LINES_MAX, 0), (LINES_MAX + 7, 7)] {
            let mut logged = Vec::new();
            assert_eq!(limited(0..count, |line| logged.push(line)), left);
            assert_eq!(logged, (0..count).take(LINES_MAX).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_warning_begins_once_and_ends_once() {
        let start = Instant::now();
        let mut log = WarningLog::default();
        let mut at = |seconds, warnings: &[(&str, &str)]| {
            let now = start + Duration::from_secs(seconds);
            let warnings: Vec<Warning> = warnings
                .iter()
                .map(|(about, text)| Warning::new(WarningKind::FailOpen, *about, *text))
                .collect();
            let begun: Vec<String> =
                log.begun(&warnings, now).iter().map(ToString::to_string).collect();
            let ended: Vec<String> = log.ended(now).into_iter().map(|one| one.text).collect();
            (begun.join(" "), ended.join(" "))
        };
        let said = |begun: &str, ended: &str| (begun.to_owned(), ended.to_owned());
        assert_eq!(at(0, &[("web", "2"), ("api", "5")]), said("2 5", ""));
        assert_eq!(at(1, &[("web", "3")]), said("", ""), "another number is no news");
        assert_eq!(at(4, &[("web", "3"), ("api", "6")]), said("", ""), "what flaps has not ended");
        assert_eq!(at(8, &[("web", "3")]), said("", ""));
        assert_eq!(at(9, &[("web", "3")]), said("", "6"));
        assert_eq!(at(10, &[("api", "7")]), said("7", ""));
    }
}
