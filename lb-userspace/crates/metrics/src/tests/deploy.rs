//! The files under deploy/ use metrics that are exported, and alerts say what to do.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{expressions::faults, read};
use crate::catalogue::heads;

const RULES: &str = "deploy/prometheus/xelb.rules.yaml";
const DASHBOARD: &str = "deploy/grafana/xelb.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<RuleGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleGroup {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    severity: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: String,
}

#[test]
fn alerts_are_valid() {
    let rules: Rules = serde_saphyr::from_str(&read(RULES)).unwrap();
    let mut names = BTreeSet::new();
    let mut severities = BTreeSet::new();
    let mut used = BTreeSet::new();
    for group in &rules.groups {
        assert!(group.name.starts_with("xelb"), "{}", group.name);
        for rule in &group.rules {
            let Rule { alert, expr, lasting, labels, annotations } = rule;
            assert!(alert.starts_with("Xelb") && names.insert(alert.clone()), "{alert}");
            assert_eq!(faults(expr, &mut used), [""; 0], "{alert}: {expr}");
            assert!(["critical", "warning", "info"].contains(&&*labels.severity), "{alert}");
            severities.insert(labels.severity.clone());
            let Annotations { summary, description } = annotations;
            assert!(summary.contains("{{ $labels.instance }}"), "{alert} does not say where");
            assert!(description.contains("Do: "), "{alert} does not say what to do");
            let minutes = lasting.as_deref().unwrap_or("0m").strip_suffix('m');
            assert!(minutes.is_some_and(|n| n.parse::<u32>().is_ok()), "{alert}: {lasting:?}");
        }
    }
    assert!(names.len() >= 12, "{names:?}");
    assert!(severities.contains("critical") && severities.contains("warning"));
}

/// What a proxy can suffer from has an alert: the 5xx of both sides, no target, slowness, an old
/// configuration, limits.
#[test]
fn proxies_have_alerts() {
    let rules: Rules = serde_saphyr::from_str(&read(RULES)).unwrap();
    let group = rules.groups.iter().find(|group| group.name == "xelb-proxy").unwrap();
    let all: String = group.rules.iter().map(|rule| rule.expr.as_str()).collect();
    for metric in [
        "xelb_http_elb_responses_total",
        "xelb_http_target_responses_total",
        "xelb_http_failed_requests_total",
        "xelb_http_group_targets",
        "xelb_http_target_response_time_seconds_bucket",
        "xelb_http_configuration_refused",
        "xelb_http_agent_absent_seconds",
        "xelb_proxies{state=\"outdated\"}",
        "xelb_http_connection_limit_waits_total",
        "xelb_http_queued_requests_total",
    ] {
        assert!(all.contains(metric), "{metric} has no alert");
    }
    // Reasons that are named exist.
    let all_reasons = lb_proxy_control::Failure::ALL.iter();
    let known: BTreeSet<&str> = all_reasons.map(|reason| reason.as_str()).collect();
    let failures = group.rules.iter().find(|rule| rule.alert == "XelbProxyFailures").unwrap();
    let reasons = failures.expr.split('"').nth(1).unwrap();
    for reason in reasons.split('|') {
        assert!(known.contains(reason), "no request fails because of {reason}");
    }
}

/// Everything that is named in texts exists, too.
#[test]
fn texts_of_alerts_name_labels_of_their_metrics() {
    let rules: Rules = serde_saphyr::from_str(&read(RULES)).unwrap();
    let all: BTreeSet<&str> = heads().flat_map(|family| family.labels).copied().collect();
    for rule in rules.groups.iter().flat_map(|group| &group.rules) {
        let text = format!("{}{}", rule.annotations.summary, rule.annotations.description);
        for part in text.split("$labels.").skip(1) {
            let label = part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap();
            let known = label == "instance" || all.contains(label);
            assert!(known, "{}: {label}", rule.alert);
            // A sum without the label would print nothing.
            let kept = !rule.expr.contains("by (") || rule.expr.contains(label);
            assert!(kept, "{}: {label} is summed away", rule.alert);
        }
    }
}

#[test]
fn the_dashboard_is_valid() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39));
    assert!(dashboard["title"].is_string() && dashboard["uid"].is_string());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variable = |name: &str| {
        let found = variables.iter().find(|variable| variable["name"] == name);
        found.unwrap_or_else(|| panic!("no variable {name}"))
    };
    assert_eq!(variable("datasource")["type"], "datasource");
    assert_eq!(variable("datasource")["query"], "prometheus");
    for (name, metric) in [("instance", "xelb_build_info"), ("proxy", "xelb_http_build_info")] {
        let query = format!("label_values({metric}, instance)");
        assert_eq!(variable(name)["query"]["query"], query.as_str());
    }
    let mut used = BTreeSet::new();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: id");
        occupy(panel, &mut cells);
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert!(panel["description"].is_string(), "{title} is not explained");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            assert_eq!(faults(expression, &mut used), [""; 0], "{title}: {expression}");
            // Proxies have addresses of their own.
            let of = if expression.contains("xelb_http_") { "$proxy" } else { "$instance" };
            assert!(expression.contains(of), "{title}: {expression} is of all {of}");
        }
    }
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .filter_map(|panel| panel["title"].as_str())
        .collect();
    let expected =
        ["Overview", "Traffic", "Targets", "Requests", "Drops", "Steering memory", "Agent"];
    assert_eq!(rows, expected);
    assert!(used.len() > 20, "{used:?}");
}

/// Grafana's grid is 24 wide; no two panels overlap.
fn occupy(panel: &Value, cells: &mut BTreeSet<(u64, u64)>) {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
    assert!(x + w <= 24 && w > 0 && h > 0, "{}", panel["title"]);
    for column in x..x + w {
        for row in y..y + h {
            assert!(cells.insert((column, row)), "{} lies on another panel", panel["title"]);
        }
    }
}
