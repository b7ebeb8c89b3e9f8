//! PURE: whether settings contradict themselves: every contradiction, with its path and a sentence.
//! Deciding takes [`CheckedSettings`] only.

mod schedules;
mod thresholds;

use std::{collections::HashSet, fmt, ops::Deref, time::Duration};

use jiff::tz::TimeZone;

use crate::{
    cron::Cron,
    policy::{Policy, PolicyKind},
    settings::{Rate, Settings},
};

/// The longest window, cooldown, warm-up, grace and rate period.
pub const DURATION_MAX: Duration = Duration::from_hours(24);
/// The most targets of a group, as ELB's per target group.
pub const CAPACITY_MAX: u32 = 1000;
/// The most policies of a group; EC2 Auto Scaling has 50.
pub const POLICIES_MAX: usize = 50;

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Where, relative to the settings: `policies[1].steps[0].lower`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Settings without contradictions, with their schedules parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedSettings {
    settings: Settings,
    /// The time of each policy that is a schedule.
    times: Vec<Option<ScheduleTime>>,
}

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleTime {
    /// The minutes.
    pub cron: Cron,
    /// Where.
    pub zone: TimeZone,
}

impl Deref for CheckedSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl CheckedSettings {
    /// Checks settings.
    ///
    /// # Errors
    /// Every contradiction, in the order of the settings.
    pub fn new(settings: Settings) -> Result<Self, Vec<Contradiction>> {
        let mut report = Report::default();
        check_capacity(&settings, &mut report);
        check_durations(&settings, &mut report);
        check_names(&settings.policies, &mut report);
        let mut times = Vec::with_capacity(settings.policies.len());
        for (index, policy) in settings.policies.iter().enumerate() {
            let at = format!("policies[{index}].{}", policy.kind.name());
            let time = match &policy.kind {
                PolicyKind::Schedule(schedule) => {
                    schedules::check(schedule, settings.limits, &at, &mut report)
                }
                kind => {
                    thresholds::check(kind, &at, &mut report);
                    None
                }
            };
            times.push(time);
        }
        let Report { contradictions } = report;
        if contradictions.is_empty() { Ok(Self { settings, times }) } else { Err(contradictions) }
    }

    /// The policies, each with its time if it is a schedule.
    pub fn timed_policies(&self) -> impl Iterator<Item = (&Policy, Option<&ScheduleTime>)> {
        self.settings.policies.iter().zip(self.times.iter().map(Option::as_ref))
    }
}

/// The contradictions so far.
#[derive(Default)]
struct Report {
    contradictions: Vec<Contradiction>,
}

impl Report {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.contradictions.push(Contradiction { path: path.into(), message: message.into() });
    }
}

fn check_capacity(settings: &Settings, report: &mut Report) {
    let limits = settings.limits;
    if limits.min > limits.max {
        let message =
            format!("min {} exceeds max {}: lower it, or raise max", limits.min, limits.max);
        report.add("min", message);
    }
    if limits.max > CAPACITY_MAX {
        report.add("max", format!("{} exceeds {CAPACITY_MAX}, the most of a group", limits.max));
    }
    if let Some(initial) = settings.initial
        && limits.clamp(initial) != initial
    {
        report.add("initial", format!("{initial} is outside the limits {limits}"));
    }
    if !(0.0..1.0).contains(&settings.tolerance) {
        let message =
            format!("{} is no share: write at least 0 and less than 1", settings.tolerance);
        report.add("tolerance", message);
    }
    if !(1..=100).contains(&settings.replacement.max_at_once_percent) {
        let percent = settings.replacement.max_at_once_percent;
        report.add("replacement.max_at_once", format!("{percent} % is not from 1 to 100 %"));
    }
}

fn check_durations(settings: &Settings, report: &mut Report) {
    let interval = settings.sample_interval;
    if interval < Duration::from_secs(1) {
        report.add("sample_interval", "it is shorter than 1 second, the shortest one");
    }
    if settings.scale_in_window < interval {
        let message = format!(
            "{:?} is shorter than the sample interval of {interval:?}: it would hold no sample",
            settings.scale_in_window
        );
        report.add("scale_in_window", message);
    }
    let durations = [
        ("warmup", settings.warmup),
        ("scale_in_window", settings.scale_in_window),
        ("cooldown", settings.cooldown),
        ("health_grace", settings.health_grace),
        ("sample_interval", interval),
    ];
    for (path, duration) in durations {
        check_length(path, duration, report);
    }
    let rates =
        [("scale_out_rate", settings.scale_out_rate), ("scale_in_rate", settings.scale_in_rate)];
    for (path, rate) in rates {
        let Some(Rate { targets, percent, period }) = rate else { continue };
        if targets == 0 && percent == 0 {
            report.add(path, "0 targets and 0 % allow no change: set one of them");
        }
        if period < interval {
            let message = format!("{period:?} is shorter than the sample interval of {interval:?}");
            report.add(format!("{path}.period"), message);
        }
        check_length(&format!("{path}.period"), period, report);
    }
}

fn check_length(path: &str, duration: Duration, report: &mut Report) {
    if duration > DURATION_MAX {
        report.add(path, format!("{duration:?} exceeds {DURATION_MAX:?}, the longest"));
    }
}

fn check_names(policies: &[Policy], report: &mut Report) {
    if policies.len() > POLICIES_MAX {
        let message =
            format!("{} policies exceed {POLICIES_MAX}, the most of a group", policies.len());
        report.add("policies", message);
    }
    let mut names = HashSet::new();
    for (index, Policy { name, .. }) in policies.iter().enumerate() {
        let path = format!("policies[{index}].name");
        if name.is_empty() {
            report.add(path, "it is empty");
        } else if !names.insert(name) {
            report.add(path, format!("another policy is called {name}, too"));
        }
    }
}

#[cfg(test)]
mod tests;
