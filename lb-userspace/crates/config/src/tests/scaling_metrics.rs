//! Metrics from outside, which policies may name: right and wrong texts.

use std::time::Duration;

use super::{
    super::{HIDDEN, HealthProtocol, Limits, MetricSource, ReportPlace, validate},
    config, errors, parse,
    scaling::of_requests,
    with,
};

const POLICY: &str = "{ name: load, target_tracking: { metric: cpu, value: 0.7 } }";

/// A group of the proxy with one metric.
fn text(metric: &str) -> String {
    format!("{}      metrics: [{{ name: cpu, {metric} }}]\n", of_requests(POLICY))
}

#[test]
fn policies_follow_metrics_from_outside() {
    let policy = "{ name: load, target_tracking: { metric: queue, value: 50 } }";
    let metrics = "      metrics:
        - { name: queue, prometheus: { url: \"https://p.example/x\", query: sum(q), max_age: 5m } }
        - { name: jobs, post: {} }
";
    let text = of_requests(policy) + metrics;
    let (_, config, _) = parse(&text, "").unwrap();
    let scaling = config.http_target_groups[0].scaling.as_ref().unwrap();
    let ages: Vec<_> =
        scaling.metrics.iter().map(|one| (one.name.as_str(), one.max_age.as_secs())).collect();
    assert_eq!(ages, [("queue", 300), ("jobs", 60)]);
    let at = "target_groups[0].scaling";
    for (old, new, expected) in [
        (
            "metric: queue",
            "metric: quue",
            format!(
                "10:59: {at}.policies[0].target_tracking.metric: `quue` is not a metric; did you mean `queue`?"
            ),
        ),
        (
            "name: jobs",
            "name: queue",
            format!("13:11: {at}.metrics[1]: another metric is called queue, too"),
        ),
        (
            "name: jobs",
            "name: bytes_per_target",
            format!(
                "13:19: {at}.metrics[1].name: `bytes_per_target` is counted by xelb itself; choose another name"
            ),
        ),
        (
            "post: {}",
            "post: {}, prometheus: {}",
            format!(
                "13:11: {at}.metrics[1]: comes from one place: write one of `prometheus`, `exec`, `report`, `post`"
            ),
        ),
        (
            "https://p.example/x",
            "https://p.example/?q",
            format!(
                "12:45: {at}.metrics[0].prometheus.url: `https://p.example/?q` is not the URL of a Prometheus server, such as http://127.0.0.1:9090"
            ),
        ),
        (
            "max_age: 5m",
            "max_age: 1h",
            format!(
                "12:92: {at}.metrics[0].prometheus.max_age: `1h` is not a duration of whole seconds from 1s to 900s, such as `90s` or `2m`"
            ),
        ),
    ] {
        assert_eq!(errors(&with(&text, old, new)), format!("xelb.yaml:{expected}"), "{new}");
    }
}

#[test]
fn programs_and_reports_are_read() {
    let source = |metric: &str| {
        let config = config(&text(metric));
        let group = &config.http_target_groups[0];
        let HealthProtocol::Http(check) = &group.health_check.protocol else { panic!() };
        let scaling = group.scaling.as_ref().unwrap();
        (scaling.metrics[0].source.clone(), check.reports.clone())
    };
    let command = vec!["/etc/xelb/checks/load".to_owned(), "a b".to_owned()];
    for (keys, timeout) in [("", 5), (", timeout: 20s, max_age: 2m", 20)] {
        let (found, reports) =
            source(&format!("exec: {{ command: [/etc/xelb/checks/load, \"a b\"]{keys} }}"));
        let timeout = Duration::from_secs(timeout);
        assert_eq!(found, MetricSource::Exec { command: command.clone(), timeout });
        assert!(reports.is_empty());
    }
    for (key, place) in [
        ("header: X-Load", ReportPlace::Header("x-load".to_owned())),
        ("json: cpu load", ReportPlace::Json("cpu load".to_owned())),
    ] {
        let (found, reports) = source(&format!("report: {{ {key} }}"));
        assert_eq!(found, MetricSource::Report(place.clone()));
        // The health check looks for it.
        assert_eq!(reports, [("cpu".to_owned(), place)]);
    }
}

#[test]
fn each_wrong_program_and_report_has_its_place() {
    let at = "target_groups[0].scaling.metrics[0]";
    for (metric, expected) in [
        (
            "exec: {}",
            "11:36: S.exec: `command` is missing; for example `command: [/etc/xelb/checks/queue-length]`",
        ),
        (
            "exec: { command: [load] }",
            "11:47: S.exec.command: load is not an absolute path; programs run without a shell",
        ),
        ("exec: { command: [] }", "11:47: S.exec.command: must name a program"),
        (
            "exec: { command: [/x], timeout: 2m }",
            "11:62: S.exec.timeout: `2m` is not a duration of whole seconds from 1s to 60s, such as `90s` or `2m`",
        ),
        (
            "report: {}",
            "11:38: S.report: is in one place of the answer: write one of `header`, `json`",
        ),
        (
            "report: { header: a, json: b }",
            "11:38: S.report: is in one place of the answer: write one of `header`, `json`",
        ),
        (
            "report: { header: \"x load\" }",
            "11:48: S.report.header: `x load` is not the name of a header, such as x-load",
        ),
    ] {
        let expected = format!("xelb.yaml:{}", expected.replacen('S', at, 1));
        assert_eq!(errors(&text(metric)), expected, "{metric}");
    }
    let too_large = with(&text("report: { header: x-load }"), "value: 0.7", "value: 70");
    let expected = "70 is not a share of a target, such as 0.7: targets report 0 to 1";
    assert!(errors(&too_large).ends_with(expected), "{}", errors(&too_large));
    // Nothing else answers with headers and a body.
    let tcp = with(
        &text("report: { header: x-load }"),
        "    scaling:\n",
        "    health_check: { protocol: tcp }\n    scaling:\n",
    );
    let expected = "target_groups[0].scaling.metrics: `report` needs a health check of protocol http or \
                    https: targets report with its answers";
    assert!(errors(&tcp).ends_with(expected), "{}", errors(&tcp));
}

#[test]
fn programs_of_metrics_are_refused_where_programs_are_and_hidden() {
    let by_static = "driver: { static: { targets: [{ address: 10.0.1.1 }] } }";
    let text = with(
        &text("exec: { command: [/bin/load, s3cret] }"),
        "driver: { exec: { program: /etc/xelb/checks/driver } }",
        by_static,
    );
    let text = with(&text, "max: 20", "max: 1");
    assert!(Limits::use_of(&config(&text)).exec_checks);
    let off = Limits { exec_checks: false, ..Limits::MOST };
    let error = super::super::parse_within(&text, "", &off).unwrap_err().to_string();
    assert!(error.contains("metrics[0].exec.command: checks may not run programs here"), "{error}");
    let hidden = parse(&text, "").unwrap().0.without_secrets();
    let shown = serde_json::to_string(&hidden).unwrap();
    assert!(!shown.contains("s3cret") && shown.contains(HIDDEN), "{shown}");
    assert_eq!(validate(&hidden).unwrap_err().errors().len(), 1);
}
