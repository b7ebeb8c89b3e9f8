//! The scaling policies of a group. Each has one key that says its kind.

use std::time::Duration;

use lb_scale::{
    Breach, DURATION_MAX, Policy, PolicyKind, Schedule, SimpleScaling, Step, StepScaling,
    TargetTracking,
};

use super::{CAPACITIES, Metrics, Reached, sections};
use crate::{
    section::{Section, list_of, nearest},
    tree::Node,
    values,
};

const KINDS: [&str; 4] = ["target_tracking", "step", "simple", "schedule"];

pub(super) fn policies(section: &Section<'_>, metrics: &Metrics<'_>) -> Vec<Policy> {
    sections(section, "policies").filter_map(|section| policy(section, metrics)).collect()
}

fn policy(section: Section<'_>, metrics: &Metrics<'_>) -> Option<Policy> {
    let errors = section.findings.count();
    let name = section.require("name", "name: load", values::name);
    let given: Vec<&str> = KINDS.into_iter().filter(|key| section.entry(key).is_some()).collect();
    let kind = match given.as_slice() {
        [key] => kind(&section, key, metrics),
        [] => {
            let message = format!("has no kind: write one of {}", list_of(&KINDS));
            section.findings.error(&section.at, message);
            None
        }
        several => {
            let message = format!("has several kinds, {}: make a policy of each", list_of(several));
            section.findings.error(&section.at, message);
            None
        }
    };
    section.finish_since(errors)?;
    Some(Policy { name: name?, kind: kind? })
}

fn kind(section: &Section<'_>, key: &str, metrics: &Metrics<'_>) -> Option<PolicyKind> {
    Some(match key {
        "target_tracking" => {
            PolicyKind::TargetTracking(tracking(section.section("target_tracking")?, metrics)?)
        }
        "step" => PolicyKind::Step(step(section.section("step")?, metrics)?),
        "simple" => PolicyKind::Simple(simple(section.section("simple")?, metrics)?),
        _ => PolicyKind::Schedule(schedule(section.section("schedule")?)?),
    })
}

/// The metric of a policy, which the group must have.
fn metric(section: &Section<'_>, metrics: &Metrics<'_>) -> Option<String> {
    let example = match metrics.reached {
        Reached::ByPackets => "metric: packets_per_target",
        Reached::ByRequests => "metric: requests_per_target",
    };
    section.require("metric", example, |node| metric_of(node, metrics))
}

fn metric_of(node: &Node, metrics: &Metrics<'_>) -> Result<String, String> {
    let name = values::name(node)?;
    let Metrics { reached, own, .. } = metrics;
    let all = [reached.metrics(), own].concat();
    if all.contains(&name.as_str()) {
        return Ok(name);
    }
    let known = list_of(&all);
    let (other, reason) = match reached {
        Reached::ByPackets => {
            (Reached::ByRequests, "is counted by the proxy, and this group is reached without it")
        }
        Reached::ByRequests => (
            Reached::ByPackets,
            "is counted by the data path, and this group is reached by the proxy",
        ),
    };
    if other.metrics().contains(&name.as_str()) {
        return Err(format!("`{name}` {reason}; metrics of this group are {known}"));
    }
    let wrong = values::wrong(node, "a metric");
    Err(match nearest(&name, &all) {
        Some(meant) => format!("{wrong}; did you mean `{meant}`?"),
        None => format!("{wrong}; known are {known}"),
    })
}

fn tracking(section: Section<'_>, metrics: &Metrics<'_>) -> Option<TargetTracking> {
    let metric = metric(&section, metrics);
    let value = section.require("value", "value: 1000", |node| {
        let value = values::decimal(node)?;
        let is_reported = metric.as_deref().is_some_and(|name| metrics.reported.contains(&name));
        if is_reported && value > 1.0 {
            return Err(values::wrong(
                node,
                "a share of a target, such as 0.7: targets report 0 to 1",
            ));
        }
        Ok(value)
    });
    let disable_scale_in = section.read("disable_scale_in", values::truth).unwrap_or(false);
    section.finish();
    Some(TargetTracking { metric: metric?, value: value?, disable_scale_in })
}

fn step(section: Section<'_>, metrics: &Metrics<'_>) -> Option<StepScaling> {
    let metric = metric(&section, metrics);
    let threshold = section.require("threshold", "threshold: 1000", values::decimal);
    section.required("steps", "steps: [{ lower: 0, adjust: +10% }]");
    let steps: Option<Vec<Step>> = sections(&section, "steps").map(one_step).collect();
    let min_adjustment = section.read("min_adjustment", |node| values::number(node, CAPACITIES));
    section.finish();
    Some(StepScaling {
        metric: metric?,
        threshold: threshold?,
        steps: steps?,
        min_adjustment: min_adjustment.unwrap_or(0),
    })
}

fn one_step(section: Section<'_>) -> Option<Step> {
    let errors = section.findings.count();
    let lower = section.read("lower", values::decimal);
    let upper = section.read("upper", values::decimal);
    let adjust = section.require("adjust", "adjust: +10%", values::adjustment);
    section.finish_since(errors)?;
    Some(Step { lower, upper, adjust: adjust? })
}

fn simple(section: Section<'_>, metrics: &Metrics<'_>) -> Option<SimpleScaling> {
    let metric = metric(&section, metrics);
    let threshold = section.require("threshold", "threshold: 1000", values::decimal);
    let words = [("above", Breach::Above), ("below", Breach::Below)];
    let breach = section.require("breach", "breach: above", |node| {
        values::word(node, &words, "a side of the threshold: above or below")
    });
    let adjust = section.require("adjust", "adjust: 1", values::adjustment);
    let min_adjustment = section.read("min_adjustment", |node| values::number(node, CAPACITIES));
    let cooldown =
        section.read("cooldown", |node| values::seconds(node, Duration::ZERO..=DURATION_MAX));
    section.finish();
    Some(SimpleScaling {
        metric: metric?,
        threshold: threshold?,
        breach: breach?,
        adjust: adjust?,
        min_adjustment: min_adjustment.unwrap_or(0),
        cooldown,
    })
}

fn schedule(section: Section<'_>) -> Option<Schedule> {
    let cron = section.require("cron", "cron: \"0 22 * * *\"", values::text);
    let timezone = section.read("timezone", values::text);
    let capacity = |key| section.read(key, |node| values::number(node, CAPACITIES));
    let (min, max, desired) = (capacity("min"), capacity("max"), capacity("desired"));
    section.finish();
    let timezone = timezone.unwrap_or_else(|| "Etc/UTC".to_owned());
    Some(Schedule { cron: cron?, timezone, min, max, desired })
}
