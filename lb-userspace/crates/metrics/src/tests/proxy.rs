//! The text of a scrape of `xelb proxy`.

use std::time::Duration;

use lb_proxy_control::{GroupState, ListenerState, Metrics, Observed, ProxyState, Sums};

use crate::{catalogue::of_proxy, proxy_observation::ProxyObservation};

fn observed() -> Observed {
    let mut times = Sums::default();
    // 3 us, 200 us, 100 ms and 200 s.
    for bucket in [2, 8, 17, 27] {
        times.response_time_buckets[bucket] = 1;
    }
    times.response_time_sum_us = 200_100_203;
    let mut metrics = Metrics::default();
    metrics.listeners.insert("shop".to_owned(), Sums::default());
    metrics.groups.insert("web".to_owned(), times);
    metrics
        .targets
        .insert(("web".to_owned(), "[2001:db8::1]:80".parse().unwrap()), Sums::default());
    metrics.failures.insert("no_target", 7);
    let listeners = vec![ListenerState {
        name: "shop".to_owned(),
        address: "203.0.113.10:443".parse().unwrap(),
        protocol: "https",
    }];
    let groups =
        vec![GroupState { name: "web".to_owned(), targets: 3, healthy: 1, draining: Vec::new() }];
    let state = ProxyState { refused: true, lines_not_written: 2, listeners, groups };
    Observed { metrics, state, agent_absent: Some(Duration::from_millis(7900)) }
}

#[test]
fn every_metric_has_a_sample_with_its_labels() {
    let text = ProxyObservation(observed()).into_text().unwrap();
    for family in of_proxy() {
        let samples: Vec<&str> =
            text.lines().filter(|line| line.starts_with(family.name)).collect();
        assert!(!samples.is_empty(), "{} has no sample in\n{text}", family.name);
        for label in family.labels {
            assert!(samples.iter().all(|one| one.contains(&format!("{label}=\""))), "{samples:?}");
        }
        assert!(!family.help.is_empty() && family.help.ends_with('.'), "{}", family.name);
    }
    for line in [
        "xelb_http_listener_info{listener=\"shop\",address=\"203.0.113.10:443\",protocol=\"https\"} 1",
        "xelb_http_group_targets{group=\"web\",state=\"other\"} 2",
        "xelb_http_failed_requests_total{reason=\"no_target\"} 7",
        "xelb_http_configuration_refused 1",
        "xelb_http_agent_absent_seconds 7",
        "xelb_http_access_log_lines_lost_total 2",
        "xelb_http_responses_per_target_total{group=\"web\",target=\"[2001:db8::1]:80\",class=\"5xx\"} 0",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
    }
}

#[test]
fn response_times_are_a_cumulative_histogram_in_seconds() {
    let text = ProxyObservation(observed()).into_text().unwrap();
    let name = "xelb_http_target_response_time_seconds";
    for (series, value) in [
        ("_bucket{le=\"0.000128\",group=\"web\"}", "1"),
        ("_bucket{le=\"0.000256\",group=\"web\"}", "2"),
        ("_bucket{le=\"0.065536\",group=\"web\"}", "2"),
        ("_bucket{le=\"0.131072\",group=\"web\"}", "3"),
        ("_bucket{le=\"67.108864\",group=\"web\"}", "3"),
        ("_bucket{le=\"+Inf\",group=\"web\"}", "4"),
        ("_count{group=\"web\"}", "4"),
        ("_sum{group=\"web\"}", "200.100203"),
    ] {
        assert!(text.contains(&format!("{name}{series} {value}\n")), "{series} {value}\n{text}");
    }
}

#[test]
fn a_proxy_that_serves_nothing_can_be_scraped() {
    let text = ProxyObservation(Observed::default()).into_text().unwrap();
    assert!(text.contains("xelb_http_configuration_refused 0\n") && text.ends_with("# EOF\n"));
    assert!(!text.contains("\nxelb_http_agent_absent_seconds "), "it has no agent\n{text}");
}
