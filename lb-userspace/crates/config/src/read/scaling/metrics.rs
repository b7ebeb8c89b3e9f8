//! Metrics from outside, which the policies of a group may name. Each has one key that says where it
//! comes from.

use std::time::Duration;

use super::{super::program::program, Reached, SAMPLE_INTERVAL_MAX, sections};
use crate::{
    model::{HealthCheck, HealthProtocol, Metric, MetricSource, ReportPlace, Scaling},
    named_file::NamedFile,
    section::{Section, list_of},
    tree::Node,
    values::{self, wrong},
};

const SOURCES: [&str; 4] = ["prometheus", "exec", "report", "post"];
/// Each of them is asked again and again.
const METRICS_MAX: usize = 20;
/// Longest query, in characters.
const QUERY_CHARS_MAX: usize = 2000;
/// How old a value may be, if it is not set.
const MAX_AGE: Duration = Duration::from_mins(1);
/// How long a program may run, if it is not set, and at most.
const TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT_MAX: Duration = Duration::from_mins(1);
/// Longest name of a member of a JSON object, in bytes.
const MEMBER_BYTES_MAX: usize = 100;

/// The metrics, and the names of all, also of those with an error.
pub(super) fn metrics(section: &Section<'_>) -> (Vec<Metric>, Vec<String>) {
    let (mut metrics, mut names) = (Vec::new(), Vec::<String>::new());
    for one in sections(section, "metrics") {
        let (at, findings) = (one.at.clone(), one.findings);
        let name = one.entry("name").and_then(|entry| entry.node.as_text().map(str::to_owned));
        if let Some(name) = name.as_ref().filter(|name| names.contains(name)) {
            findings.error(&at, format!("another metric is called {name}, too"));
        }
        names.extend(name);
        metrics.extend(metric(one));
    }
    if let Some(list) = section.list("metrics").filter(|list| list.items().len() > METRICS_MAX) {
        let count = list.items().len();
        section.findings.error(&list.at, format!("has {count} metrics, more than {METRICS_MAX}"));
    }
    (metrics, names)
}

fn metric(section: Section<'_>) -> Option<Metric> {
    let errors = section.findings.count();
    let name = section.require("name", "name: queue_length", name);
    let given: Vec<&str> = SOURCES.into_iter().filter(|key| section.entry(key).is_some()).collect();
    let source = match given.as_slice() {
        ["prometheus"] => section.section("prometheus").and_then(prometheus),
        ["exec"] => section.section("exec").and_then(exec),
        ["report"] => section.section("report").and_then(report),
        ["post"] => section.section("post").map(post),
        _ => {
            let message = format!("comes from one place: write one of {}", list_of(&SOURCES));
            section.findings.error(&section.at, message);
            None
        }
    };
    section.finish_since(errors)?;
    let (source, max_age) = source?;
    Some(Metric { name: name?, source, max_age })
}

/// A name that is none of the metrics of xelb.
fn name(node: &Node) -> Result<String, String> {
    let name = values::name(node)?;
    let mut all = [Reached::ByPackets, Reached::ByRequests].into_iter().flat_map(Reached::metrics);
    if all.any(|known| *known == name) {
        return Err(format!("`{name}` is counted by xelb itself; choose another name"));
    }
    Ok(name)
}

fn prometheus(section: Section<'_>) -> Option<(MetricSource, Duration)> {
    let url = section.require("url", "url: http://127.0.0.1:9090", values::prometheus_url);
    let query = section.require("query", "query: sum(queue_length)", query);
    let ca = section.read("ca", |node| values::file(node, "/etc/xelb/ca.pem"));
    if let (Some(file), Some(entry)) = (&ca, section.entry("ca")) {
        section.findings.file(&entry.at, NamedFile::Authorities(file.clone()));
    }
    let max_age = max_age(&section);
    section.finish();
    Some((MetricSource::Prometheus { url: url?, query: query?, ca }, max_age))
}

fn post(section: Section<'_>) -> (MetricSource, Duration) {
    let max_age = max_age(&section);
    section.finish();
    (MetricSource::Post, max_age)
}

fn exec(section: Section<'_>) -> Option<(MetricSource, Duration)> {
    let command = program(&section, "command", "command: [/etc/xelb/checks/queue-length]");
    let range = Duration::from_secs(1)..=TIMEOUT_MAX;
    let timeout = section.read("timeout", |node| values::seconds(node, range)).unwrap_or(TIMEOUT);
    let max_age = max_age(&section);
    section.finish();
    Some((MetricSource::Exec { command: command?, timeout }, max_age))
}

fn report(section: Section<'_>) -> Option<(MetricSource, Duration)> {
    let header = section.read("header", values::header_name).map(ReportPlace::Header);
    let json = section.read("json", |node| values::short_text(node, MEMBER_BYTES_MAX));
    let is_one = section.entry("header").is_some() != section.entry("json").is_some();
    if !is_one {
        let message = "is in one place of the answer: write one of `header`, `json`";
        section.findings.error(&section.at, message);
    }
    let max_age = max_age(&section);
    section.finish();
    let place = header.or(json.map(ReportPlace::Json)).filter(|_| is_one)?;
    Some((MetricSource::Report(place), max_age))
}

/// Lets the health check of a group look for what its targets report. An error if it cannot.
pub(in crate::read) fn take_reports(
    group: &Section<'_>,
    check: Option<&mut HealthCheck>,
    scaling: Option<&Scaling>,
) {
    let reports: Vec<(String, ReportPlace)> = scaling
        .iter()
        .flat_map(|scaling| &scaling.metrics)
        .filter_map(|metric| match &metric.source {
            MetricSource::Report(place) => Some((metric.name.clone(), place.clone())),
            _ => None,
        })
        .collect();
    let (Some(check), false) = (check, reports.is_empty()) else { return };
    if let HealthProtocol::Http(check) = &mut check.protocol {
        check.reports = reports;
    } else if let Some(metrics) = group.section("scaling").and_then(|one| one.entry("metrics")) {
        let message = "`report` needs a health check of protocol http or https: targets report with \
                       its answers";
        group.findings.error(&metrics.at, message);
    }
}

fn max_age(section: &Section<'_>) -> Duration {
    let range = Duration::from_secs(1)..=SAMPLE_INTERVAL_MAX;
    section.read("max_age", |node| values::seconds(node, range)).unwrap_or(MAX_AGE)
}

fn query(node: &Node) -> Result<String, String> {
    let text = values::text(node)?;
    if text.is_empty() || text.chars().count() > QUERY_CHARS_MAX {
        return Err(wrong(
            node,
            "an expression of 1 to 2000 characters, such as sum(queue_length)",
        ));
    }
    Ok(text)
}
