//! Snapshot in, lines out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_agent::{Process, Snapshot};
use lb_plan::warning::WarningKind;

use super::{full, process, snapshot, traffic};
use crate::{Observation, catalogue::families, family::Kind};

/// The samples of a text.
fn samples(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// Every sample of these metrics, and no others.
const EXPECTED: &[(&str, &[&str])] = &[
    ("xelb_build_info", &[r#"{version="1.2.3",abi="7"} 1"#]),
    ("xelb_agent_start_time_seconds", &[" 1795433800"]),
    ("xelb_agent_cpu_seconds_total", &[" 1.5"]),
    ("xelb_agent_resident_memory_bytes", &[" 20971520"]),
    ("xelb_agent_own_memory_bytes", &[" 10485760"]),
    ("xelb_configurations_applied_total", &[" 4"]),
    ("xelb_configuration_last_error", &[" 1"]),
    (
        "xelb_interface_mode",
        &[r#"{interface="eth\"1",mode="native"} 0"#, r#"{interface="eth\"1",mode="generic"} 1"#],
    ),
    ("xelb_interface_reattached_total", &[r#"{interface="eth\"1"} 0"#]),
    ("xelb_probe_targets", &[" 3"]),
    ("xelb_probes_total", &[" 90"]),
    ("xelb_probes_failed_total", &[" 5"]),
    ("xelb_probes_inconclusive_total", &[" 2"]),
    ("xelb_probes_late_total", &[" 1"]),
    ("xelb_probe_lateness_p50_seconds", &[" 0.00064"]),
    ("xelb_probe_lateness_p99_seconds", &[" 0.00128"]),
    ("xelb_probe_lateness_max_seconds", &[" 0.15"]),
    ("xelb_last_reaction_seconds", &[" 0.007536"]),
    ("xelb_target_group_info", &[r#"{group="web",protocol="tcp",forwarding="ipip"} 1"#]),
    (
        "xelb_target_group_targets",
        &[
            r#"{group="web",state="initial"} 0"#,
            r#"{group="web",state="healthy"} 1"#,
            r#"{group="web",state="unhealthy"} 1"#,
            r#"{group="web",state="draining"} 1"#,
            r#"{group="web",state="unused"} 0"#,
        ],
    ),
    ("xelb_target_group_fail_open", &[r#"{group="web"} 1"#]),
    ("xelb_target_group_ring_slots", &[r#"{group="web"} 4096"#]),
    (
        "xelb_target_reason",
        &[
            r#"{group="web",target="[2001:db8::12]:80",reason="Target.FailedHealthChecks"} 1"#,
            r#"{group="web",target="10.0.1.13:80",reason="Target.DeregistrationInProgress"} 1"#,
        ],
    ),
    (
        "xelb_target_share_ratio",
        &[
            r#"{group="web",target="10.0.1.11:80"} 0.5"#,
            r#"{group="web",target="[2001:db8::12]:80"} 0.0"#,
            r#"{group="web",target="10.0.1.13:80"} 0.0"#,
        ],
    ),
    ("xelb_target_drained", &[r#"{group="web",target="10.0.1.13:80"} 1"#]),
    ("xelb_target_leaving", &[r#"{group="web",target="10.0.1.13:80"} 1"#]),
    ("xelb_target_keeps_flows_seconds", &[r#"{group="web",target="10.0.1.13:80"} 30"#]),
    ("xelb_scaling_desired_capacity", &[r#"{group="web"} 4"#]),
    ("xelb_scaling_min_capacity", &[r#"{group="web"} 2"#]),
    ("xelb_scaling_max_capacity", &[r#"{group="web"} 8"#]),
    (
        "xelb_scaling_members",
        &[
            r#"{group="web",state="in-service"} 3"#,
            r#"{group="web",state="pending"} 1"#,
            r#"{group="web",state="terminating"} 0"#,
            r#"{group="web",state="standby"} 0"#,
            r#"{group="web",state="warm"} 0"#,
        ],
    ),
    ("xelb_scaling_suspended_processes", &[r#"{group="web"} 1"#]),
    ("xelb_scaling_decisions_total", &[r#"{group="web"} 240"#]),
    ("xelb_scaling_failed_calls_total", &[r#"{group="web"} 5"#]),
    ("xelb_data_path_readable", &[" 1"]),
    (
        "xelb_listener_info",
        &[
            r#"{listener="web",address="203.0.113.10",port="8000-8099",protocol="tcp",group="web"} 1"#,
        ],
    ),
    ("xelb_listener_packets_total", &[r#"{listener="web"} 54"#]),
    ("xelb_listener_bytes_total", &[r#"{listener="web"} 3536"#]),
    (
        "xelb_target_packets_total",
        &[
            r#"{group="web",target="10.0.1.11:80"} 50"#,
            r#"{group="web",target="[2001:db8::12]:80"} 4"#,
            r#"{group="web",target="10.0.1.13:80"} 0"#,
        ],
    ),
    (
        "xelb_target_bytes_total",
        &[
            r#"{group="web",target="10.0.1.11:80"} 5000"#,
            r#"{group="web",target="[2001:db8::12]:80"} 400"#,
            r#"{group="web",target="10.0.1.13:80"} 0"#,
        ],
    ),
    ("xelb_remembered_flows", &[" 17"]),
    ("xelb_remembered_flows_max", &[" 2097152"]),
    ("xelb_translated_flows", &[" 5"]),
    ("xelb_translated_flows_max", &[" 262144"]),
    ("xelb_armed_slots", &[" 12"]),
    (
        "xelb_map_entries",
        &[
            r#"{map="listeners"} 1"#,
            r#"{map="target_groups"} 1"#,
            r#"{map="targets"} 3"#,
            r#"{map="ring_slots"} 4096"#,
        ],
    ),
    (
        "xelb_map_capacity",
        &[
            r#"{map="listeners"} 4096"#,
            r#"{map="target_groups"} 2047"#,
            r#"{map="targets"} 16383"#,
            r#"{map="ring_slots"} 4194304"#,
        ],
    ),
    ("xelb_map_memory_bytes", &[r#"{map="RINGS"} 33554432"#, r#"{map="MEMORY"} 8388608"#]),
];

/// The samples of a metric, without its name.
fn of<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let rest = text.lines().filter_map(|line| line.strip_prefix(name));
    rest.filter(|rest| rest.starts_with([' ', '{'])).collect()
}

#[test]
fn a_snapshot_becomes_these_lines() {
    let text = full().into_text().unwrap();
    for (name, expected) in EXPECTED {
        assert_eq!(of(&text, name), *expected, "{name}");
    }
    for line in [
        r#"xelb_target_state{group="web",target="10.0.1.11:80",state="healthy"} 1"#,
        r#"xelb_target_state{group="web",target="10.0.1.11:80",state="unhealthy"} 0"#,
        r#"xelb_target_state{group="web",target="[2001:db8::12]:80",state="unhealthy"} 1"#,
        r#"xelb_target_weight{group="web",target="10.0.1.13:80"} 100"#,
        r#"xelb_warnings{kind="fail_open"} 2"#,
        r#"xelb_warnings{kind="generic_mode"} 0"#,
        r#"xelb_dropped_packets_total{reason="ipv4_header_malformed"} 0"#,
        r#"xelb_dropped_packets_total{reason="no_target"} 6"#,
        r#"xelb_datapath_events_total{event="fragment_passed"} 100"#,
        r#"xelb_datapath_events_total{event="reset_sent"} 112"#,
    ] {
        assert!(samples(&text).contains(line), "{line} is not in\n{text}");
    }
    // Every target is in exactly one state.
    assert_eq!(of(&text, "xelb_target_state").len(), 15);
    let in_state = of(&text, "xelb_target_state").into_iter().filter(|rest| rest.ends_with("} 1"));
    assert_eq!(in_state.count(), 3);
}

#[test]
fn every_metric_has_head_and_samples_with_its_labels() {
    let text = full().into_text().unwrap();
    assert!(text.ends_with("\n# EOF\n"), "OpenMetrics ends so");
    let mut heads = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert_eq!(heads.insert(name, kind), None, "{name} stands there twice");
    }
    assert_eq!(heads.len(), families().count());
    for family in families() {
        let (suffix, kind) = match family.kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
            Kind::Histogram => ("", "histogram"),
            Kind::Info => ("_info", "info"),
        };
        let head = family.name.strip_suffix(suffix).expect(family.name);
        assert_eq!(heads.get(head), Some(&kind), "{}", family.name);
        assert!(text.contains(&format!("# HELP {head} {}\n", family.help)), "{}", family.name);
        assert!(family.name.starts_with("xelb_") && family.help.ends_with('.'), "{}", family.name);
        let found = of(&text, family.name);
        assert!(!found.is_empty(), "{} has no sample", family.name);
        for rest in found {
            let labels = rest.rsplit_once(' ').unwrap().0.trim_matches(['{', '}']);
            let names: Vec<&str> =
                labels.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
            assert_eq!(names, family.labels, "{}{rest}", family.name);
        }
    }
}

#[test]
fn units_are_declared() {
    let text = full().into_text().unwrap();
    for line in [
        "# UNIT xelb_listener_bytes bytes",
        "# UNIT xelb_agent_cpu_seconds seconds",
        "# UNIT xelb_probe_lateness_p99_seconds seconds",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn unknown_values_are_omitted() {
    // Before the first configuration.
    let text = Observation::new(Arc::default(), None, Process::default()).into_text().unwrap();
    assert_eq!(of(&text, "xelb_data_path_readable"), [" 0"]);
    for name in [
        "xelb_agent_cpu_seconds_total",
        "xelb_agent_resident_memory_bytes",
        "xelb_agent_own_memory_bytes",
        "xelb_map_memory_bytes",
        "xelb_listener_packets_total",
        "xelb_dropped_packets_total",
        "xelb_remembered_flows",
        "xelb_translated_flows",
        "xelb_target_state",
    ] {
        assert_eq!(of(&text, name), [""; 0], "{name}");
    }
    // If the maps cannot be read, the targets' states are still shown.
    let text = Observation::new(Arc::new(snapshot()), None, process()).into_text().unwrap();
    assert_eq!(of(&text, "xelb_data_path_readable"), [" 0"]);
    assert_eq!(of(&text, "xelb_target_packets_total"), [""; 0]);
    assert_eq!(of(&text, "xelb_target_state").len(), 15);
}

#[test]
fn an_idle_balancer_shows_zeros() {
    let quiet = Snapshot {
        last_error: String::new(),
        warnings: Vec::new(),
        warning_details: Vec::new(),
        ..snapshot()
    };
    let text = Observation::new(Arc::new(quiet), Some(traffic()), process()).into_text().unwrap();
    assert_eq!(of(&text, "xelb_configuration_last_error"), [" 0"]);
    let warnings = of(&text, "xelb_warnings");
    assert_eq!(warnings.len(), WarningKind::ALL.len());
    assert!(warnings.iter().all(|sample| sample.ends_with("\"} 0")), "{warnings:?}");
}

#[test]
fn no_series_occurs_twice() {
    let text = full().into_text().unwrap();
    let mut series = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, _) = line.rsplit_once(' ').unwrap();
        assert!(series.insert(name), "{name}");
    }
}
