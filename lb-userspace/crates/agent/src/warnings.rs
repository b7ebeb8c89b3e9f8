//! What an operator should look at now, from all parts of the agent; and the log of it: a line when a
//! warning begins, one when it has ended.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lb_dataplane::{Attached, DataPath};
use lb_plan::warning::{Warning, WarningKind};

use super::run::Agent;

/// Lines that are logged at once, of each sort; `xelb status` has them all.
const LINES_MAX: usize = 20;

/// What comes back sooner has not ended: what flaps makes two lines, not hundreds.
const ENDED_AFTER: Duration = Duration::from_secs(5);

impl Agent {
    /// All warnings that hold now, loudest first.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut all: Vec<Warning> = self.own_limits.warnings(&self.scheduler).collect();
        if let Some(balancer) = &self.balancer {
            all.extend(balancer.plan.warnings.iter().cloned());
            all.extend(balancer.data_path.attached().iter().flat_map(attachment));
            all.extend(pins(&balancer.data_path));
            let (config, hops, now) = (&balancer.config, balancer.hops.current(), Instant::now());
            all.extend(self.host_watch.warnings(config, hops, &balancer.attached(), now));
            all.extend(balancer.interfaces.warnings());
            all.extend(self.exhaustion.warnings());
            all.extend(self.tunnel.warnings());
        }
        all.sort_by_key(|warning| warning.kind);
        all
    }

    /// Logs what is new, and what has ended. Before the first verdicts, everything is missing, and
    /// nothing is said.
    pub(super) fn log_warnings(&mut self, now: Instant) {
        if self.balancer.as_ref().is_some_and(|balancer| !balancer.is_waiting()) {
            let warnings = self.warnings();
            self.warning_log.update(&warnings, now);
        }
    }
}

/// Where the program should run.
fn attachment(attached: &Attached) -> Vec<Warning> {
    let Attached { name, native, reason, fault, renamed, .. } = attached;
    let mut warnings = Vec::new();
    let mut warn = |kind, text: String| warnings.push(Warning::new(kind, name, text));
    if !fault.is_empty() {
        let text = format!(
            "interface {name}: the program does not run there, packets that come in by it are not \
             balanced: {fault}"
        );
        warn(WarningKind::ProgramGone, text);
    } else if !native {
        let text = format!("interface {name}: XDP runs in generic mode, slowly: {reason}");
        warn(WarningKind::GenericMode, text);
    }
    if !renamed.is_empty() {
        let text = format!(
            "interface {name} is called {renamed} now; the program goes on there until an interface \
             {name} exists: put {renamed} under `interfaces`"
        );
        warn(WarningKind::InterfaceRenamed, text);
    }
    warnings
}

fn pins(data_path: &DataPath) -> Option<Warning> {
    let fault = data_path.pins_fault();
    let text = || format!("maps and links cannot be pinned again: {fault}");
    (!fault.is_empty()).then(|| Warning::new(WarningKind::PinsMissing, "", text()))
}

/// What has been logged, and has not ended.
#[derive(Debug, Default)]
pub(super) struct WarningLog(BTreeMap<(WarningKind, String), Logged>);

#[derive(Debug)]
struct Logged {
    text: String,
    last_seen: Instant,
}

impl WarningLog {
    /// Logs the difference to what holds now.
    fn update(&mut self, warnings: &[Warning], now: Instant) {
        let more = limited(self.begun(warnings, now).into_iter(), |warning| {
            tracing::warn!(kind = warning.kind.name(), "{warning}");
        });
        if more > 0 {
            tracing::warn!("and {more} more warnings; `xelb status` shows all");
        }
        let more = limited(self.ended(now).into_iter(), |(kind, text)| {
            tracing::info!(kind = kind.name(), "no longer true: {text}");
        });
        if more > 0 {
            tracing::info!("and {more} more warnings are no longer true");
        }
    }

    /// Takes over what holds now; gives what is new.
    fn begun<'new>(&mut self, warnings: &'new [Warning], now: Instant) -> Vec<&'new Warning> {
        let new = |warning: &&Warning| {
            let Warning { kind, subject, text } = *warning;
            let logged = Logged { text: text.clone(), last_seen: now };
            self.0.insert((*kind, subject.clone()), logged).is_none()
        };
        warnings.iter().filter(new).collect()
    }

    /// Forgets what has not been seen for long enough, and gives it.
    fn ended(&mut self, now: Instant) -> Vec<(WarningKind, String)> {
        let old = |_: &_, logged: &mut Logged| {
            now.saturating_duration_since(logged.last_seen) >= ENDED_AFTER
        };
        self.0.extract_if(.., old).map(|((kind, _), logged)| (kind, logged.text)).collect()
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
            let ended: Vec<String> = log.ended(now).into_iter().map(|(_, text)| text).collect();
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
