//! `scaling` of a target group: limits, policies, and how its members come and go. Whether the
//! numbers make sense together is checked by `lb_scale::CheckedSettings`.

mod driver;
mod host_driver;
mod metrics;
mod policies;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use lb_rules::PathStep;
use lb_scale::{
    CAPACITY_MAX, CheckedSettings, Contradiction, DURATION_MAX, Rate, Replacement, Settings,
};

pub(super) use self::metrics::take_reports;
use self::{driver::driver, metrics::metrics, policies::policies};
use super::tags::tags;
use crate::{
    model::{Hook, Metric, MetricSource, Scaling, Termination, WarmPool},
    named_file::NamedFile,
    section::{Entry, List, Section},
    values,
};

/// The default of an instance refresh of EC2 Auto Scaling.
const MIN_HEALTHY_PERCENT: u32 = 90;
/// `HeartbeatTimeout` of EC2 Auto Scaling: the default, and the longest one.
const HOOK_TIMEOUT: Duration = Duration::from_hours(1);
const HOOK_TIMEOUT_MAX: Duration = Duration::from_hours(2);
/// Capacities of a group.
const CAPACITIES: RangeInclusive<u32> = 0..=CAPACITY_MAX;
/// Longer samples would come too late for any load.
const SAMPLE_INTERVAL_MAX: Duration = Duration::from_mins(15);

/// By what the targets of a group are reached, and who counts its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// By packets of the data path.
    ByPackets,
    /// By requests of the proxy.
    ByRequests,
}

impl Reached {
    /// Metrics of such a group. They are counted in a second and per target.
    const fn metrics(self) -> &'static [&'static str] {
        match self {
            Self::ByPackets => &["packets_per_target", "bytes_per_target"],
            Self::ByRequests => &["requests_per_target"],
        }
    }
}

/// The metrics that policies of a group may name.
struct Metrics<'a> {
    reached: Reached,
    /// From outside.
    own: &'a [&'a str],
    /// Those of them that each target reports.
    reported: &'a [&'a str],
}

/// Reads `scaling`; `None` if the group does not have it, or after an error.
pub(super) fn scaling(group: &Section<'_>, port: Option<u16>, reached: Reached) -> Option<Scaling> {
    let entry = group.entry("scaling")?;
    let section = group.section("scaling")?;
    let errors = section.findings.count();
    let (metrics, names) = metrics(&section);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_reported = |one: &&Metric| matches!(one.source, MetricSource::Report(_));
    let reported: Vec<&str> =
        metrics.iter().filter(is_reported).map(|metric| metric.name.as_str()).collect();
    let settings = settings(&section, &Metrics { reached, own: &names, reported: &reported });
    let driver = driver(&section, port);
    let (launch_hook, terminate_hook) = hooks(&section);
    let (replacement, min_healthy_percent) = replacement(&section);
    let termination = termination(&section);
    let warm_pool = warm_pool(&section);
    let tags = tags(&section);
    let findings = section.findings;
    section.finish_since(errors)?;
    let settings = Settings { replacement, ..settings? };
    let settings = CheckedSettings::new(settings).map_err(|contradictions| {
        for contradiction in contradictions {
            let Contradiction { path, message } = contradiction;
            findings.error(&entry.node.follow(&entry.at, &steps(&path)), message);
        }
    });
    Some(Scaling {
        settings: Arc::new(settings.ok()?),
        driver: driver?,
        launch_hook,
        terminate_hook,
        min_healthy_percent,
        termination,
        warm_pool,
        metrics,
        tags,
    })
}

fn settings(section: &Section<'_>, metrics: &Metrics<'_>) -> Option<Settings> {
    let capacity = |node: &_| values::number(node, CAPACITIES);
    let min = section.require("min", "min: 2", capacity);
    let max = section.require("max", "max: 20", capacity);
    let initial = section.read("initial", capacity);
    let policies = policies(section, metrics);
    let duration = |key, range| section.read(key, |node| values::seconds(node, range));
    let second = Duration::from_secs(1);
    let any = Duration::ZERO..=DURATION_MAX;
    let warmup = duration("warmup", any.clone());
    let window = duration("scale_in_window", second..=DURATION_MAX);
    let (cooldown, grace) = (duration("cooldown", any.clone()), duration("health_grace", any));
    let sample_interval = duration("sample_interval", second..=SAMPLE_INTERVAL_MAX);
    let tolerance = section.read("tolerance", values::share);
    let scale_out_rate = rate(section, "scale_out_rate");
    let scale_in_rate = rate(section, "scale_in_rate");
    let default = Settings::new(min?, max?);
    Some(Settings {
        initial,
        policies,
        warmup: warmup.unwrap_or(default.warmup),
        scale_in_window: window.unwrap_or(default.scale_in_window),
        tolerance: tolerance.unwrap_or(default.tolerance),
        cooldown: cooldown.unwrap_or(default.cooldown),
        health_grace: grace.unwrap_or(default.health_grace),
        sample_interval: sample_interval.unwrap_or(default.sample_interval),
        scale_out_rate,
        scale_in_rate,
        ..default
    })
}

/// How fast capacity may change: so many targets or percent in each period, whichever is more.
fn rate(section: &Section<'_>, key: &'static str) -> Option<Rate> {
    section.entry(key)?;
    let section = section.section(key)?;
    let targets = section.read("targets", |node| values::number(node, CAPACITIES));
    let percent = section.read("percent", values::percentage);
    let period = section.require("period", "period: 1m", |node| {
        values::seconds(node, Duration::from_secs(1)..=DURATION_MAX)
    });
    section.finish();
    Some(Rate { targets: targets.unwrap_or(0), percent: percent.unwrap_or(0), period: period? })
}

fn replacement(section: &Section<'_>) -> (Replacement, u32) {
    let default = Replacement::default();
    let Some(section) = section.section("replacement") else {
        return (default, MIN_HEALTHY_PERCENT);
    };
    let max_at_once = section.read("max_at_once", values::percentage);
    let min_healthy = section.read("min_healthy", values::percentage);
    section.finish();
    let max_at_once_percent = max_at_once.unwrap_or(default.max_at_once_percent);
    (Replacement { max_at_once_percent }, min_healthy.unwrap_or(MIN_HEALTHY_PERCENT))
}

fn hooks(section: &Section<'_>) -> (Option<Hook>, Option<Hook>) {
    let Some(section) = section.section("hooks") else {
        return (None, None);
    };
    let found = (hook(&section, "launch"), hook(&section, "terminate"));
    section.finish();
    found
}

fn hook(section: &Section<'_>, key: &'static str) -> Option<Hook> {
    section.entry(key)?;
    let section = section.section(key)?;
    let program = section.require("program", "program: /etc/xelb/checks/warm-up", |node| {
        values::file(node, "/etc/xelb/checks/warm-up")
    });
    if let (Some(program), Some(entry)) = (&program, section.entry("program")) {
        section.findings.file(&entry.at, NamedFile::Program(program.clone()));
    }
    let range = Duration::from_secs(1)..=HOOK_TIMEOUT_MAX;
    let timeout = section.read("timeout", |node| values::seconds(node, range));
    let words = [("continue", true), ("abandon", false)];
    let continues =
        section.read("default", |node| values::word(node, &words, "continue or abandon"));
    section.finish();
    Some(Hook {
        program: program?,
        timeout: timeout.unwrap_or(HOOK_TIMEOUT),
        continues: continues.unwrap_or(false),
    })
}

fn termination(section: &Section<'_>) -> Vec<Termination> {
    let default = vec![Termination::LeastFlows, Termination::Newest];
    let Some(list) = section.list("termination") else {
        return default;
    };
    if list.items().len() == 0 {
        section.findings.error(&list.at, "is empty; name at least one of them, such as newest");
    }
    let words = [
        ("least_flows", Termination::LeastFlows),
        ("newest", Termination::Newest),
        ("oldest", Termination::Oldest),
        ("old_template", Termination::OldTemplate),
    ];
    let wanted = "a termination policy: least_flows, newest, oldest or old_template";
    let read = |Entry { node, at }| {
        let word = values::word(node, &words, wanted);
        word.map_err(|message| section.findings.error(&at, message)).ok()
    };
    list.entries().filter_map(read).collect()
}

fn warm_pool(section: &Section<'_>) -> Option<WarmPool> {
    section.entry("warm_pool")?;
    let section = section.section("warm_pool")?;
    let size = section.require("size", "size: 2", |node| values::number(node, 1..=1000));
    let words = [("stopped", false), ("running", true)];
    let running = section.read("state", |node| values::word(node, &words, "stopped or running"));
    section.finish();
    Some(WarmPool { size: size?, running: running.unwrap_or(false) })
}

/// The items of a list, each a section; nothing if there is no list.
fn sections<'a>(
    section: &Section<'a>,
    key: &'static str,
) -> impl Iterator<Item = Section<'a>> + use<'a> {
    let findings = section.findings;
    let list = section.list(key);
    let entries: Vec<Entry<'a>> = list.iter().flat_map(List::entries).collect();
    entries.into_iter().filter_map(move |entry| Section::new(entry.node, entry.at, findings))
}

/// A path of `lb_scale`, such as `policies[1].step.steps[0].lower`.
fn steps(path: &str) -> Vec<PathStep> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, item) = match part.split_once('[') {
            Some((key, item)) => (key, item.trim_end_matches(']').parse().ok()),
            None => (part, None),
        };
        steps.push(PathStep::Key(key.to_owned()));
        steps.extend(item.map(PathStep::Item));
    }
    steps
}
