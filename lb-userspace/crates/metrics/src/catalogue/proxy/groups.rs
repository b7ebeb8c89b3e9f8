//! PURE: metrics of the target groups of the proxy, and of their targets.

use std::fmt;

use lb_proxy_control::{BUCKETS, Counter as Of, Sums};

use super::listeners::OF_TARGETS;
use crate::{
    family::{
        Family,
        Kind::{Counter, Gauge, Histogram},
        Samples,
    },
    proxy_observation::ProxyObservation,
};

/// A counter of each group.
fn each(seen: &ProxyObservation, out: &mut Samples<'_>, of: Of) -> fmt::Result {
    let mut groups = seen.0.metrics.groups.iter();
    groups.try_for_each(|(name, sums)| out.add(&[name], sums.get(of)))
}

/// A counter of each target.
fn each_target(seen: &ProxyObservation, out: &mut Samples<'_>, of: Of) -> fmt::Result {
    let mut targets = seen.0.metrics.targets.iter();
    targets.try_for_each(|((group, target), sums)| {
        out.add(&[group, &target.to_string()], sums.get(of))
    })
}

/// Times below 2^7 microseconds are one bucket.
const FIRST_BUCKET: usize = 7;

/// Bounds in seconds, and how many responses each bucket has.
fn buckets(sums: &Sums) -> Vec<(f64, u64)> {
    let counts = &sums.response_time_buckets;
    let first: u64 = counts.iter().take(FIRST_BUCKET + 1).sum();
    let bound = |power: usize| f64::from(1_u32 << power) / 1e6;
    let mut buckets = vec![(bound(FIRST_BUCKET), first)];
    for (power, count) in counts.iter().enumerate().skip(FIRST_BUCKET + 1) {
        let is_last = power == BUCKETS - 1;
        buckets.push((if is_last { f64::INFINITY } else { bound(power) }, *count));
    }
    buckets
}

fn response_times(seen: &ProxyObservation, out: &mut Samples<'_>) -> fmt::Result {
    seen.0.metrics.groups.iter().try_for_each(|(name, sums)| {
        let buckets = buckets(sums);
        let micros = std::time::Duration::from_micros(sums.response_time_sum_us);
        out.add_histogram(&[name], micros.as_secs_f64(), &buckets)
    })
}

pub(super) const FAMILIES: &[Family<ProxyObservation>] = &[
    Family {
        name: "xelb_http_group_targets",
        kind: Gauge,
        labels: &["group", "state"],
        help: "Targets of a group that the proxy takes for healthy, and others.",
        samples: |seen, out| {
            seen.0.state.groups.iter().try_for_each(|group| {
                out.add(&[&group.name, "healthy"], group.healthy)?;
                out.add(&[&group.name, "other"], group.targets - group.healthy)
            })
        },
    },
    Family {
        name: "xelb_http_group_requests_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests to a group.",
        samples: |seen, out| each(seen, out, Of::Requests),
    },
    Family {
        name: "xelb_http_target_response_time_seconds",
        kind: Histogram,
        labels: &["group"],
        help: "Time from the end of the request's head to the head of the target's response.",
        samples: response_times,
    },
    Family {
        name: "xelb_http_target_connections_total",
        kind: Counter,
        labels: &["group"],
        help: "New connections to targets, also those that failed.",
        samples: |seen, out| each(seen, out, Of::TargetConnections),
    },
    Family {
        name: "xelb_http_reused_target_connections_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests over connections to targets that had served others.",
        samples: |seen, out| each(seen, out, Of::ReusedTargetConnections),
    },
    Family {
        name: "xelb_http_target_connection_errors_total",
        kind: Counter,
        labels: &["group"],
        help: "Connections to targets that could not be made.",
        samples: |seen, out| each(seen, out, Of::TargetConnectionErrors),
    },
    Family {
        name: "xelb_http_target_tls_errors_total",
        kind: Counter,
        labels: &["group"],
        help: "TLS handshakes with targets that failed.",
        samples: |seen, out| each(seen, out, Of::TargetTlsErrors),
    },
    Family {
        name: "xelb_http_retries_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests that were sent once more, or to another target.",
        samples: |seen, out| each(seen, out, Of::Retries),
    },
    Family {
        name: "xelb_http_retries_over_budget_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests that were not sent once more because of the budget of retries.",
        samples: |seen, out| each(seen, out, Of::RetriesOverBudget),
    },
    Family {
        name: "xelb_http_queued_requests_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests that waited for a target below its limit of connections.",
        samples: |seen, out| each(seen, out, Of::QueuedRequests),
    },
    Family {
        name: "xelb_http_deregistration_cuts_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests and tunnels that were cut at the end of a deregistration delay.",
        samples: |seen, out| each(seen, out, Of::DeregistrationCuts),
    },
    Family {
        name: "xelb_http_fail_open_requests_total",
        kind: Counter,
        labels: &["group"],
        help: "Requests to targets while too few were healthy.",
        samples: |seen, out| each(seen, out, Of::FailOpenRequests),
    },
    Family {
        name: "xelb_http_requests_per_target_total",
        kind: Counter,
        labels: &["group", "target"],
        help: "Requests to a target.",
        samples: |seen, out| each_target(seen, out, Of::Requests),
    },
    Family {
        name: "xelb_http_tls_connections_per_target_total",
        kind: Counter,
        labels: &["group", "target"],
        help: "Connections of listeners of tls that went to a target.",
        samples: |seen, out| each_target(seen, out, Of::TlsConnections),
    },
    Family {
        name: "xelb_http_responses_per_target_total",
        kind: Counter,
        labels: &["group", "target", "class"],
        help: "Responses of a target, by class of status.",
        samples: |seen, out| {
            seen.0.metrics.targets.iter().try_for_each(|((group, target), sums)| {
                let target = target.to_string();
                OF_TARGETS
                    .iter()
                    .try_for_each(|(class, of)| out.add(&[group, &target, class], sums.get(*of)))
            })
        },
    },
    Family {
        name: "xelb_http_connection_errors_per_target_total",
        kind: Counter,
        labels: &["group", "target"],
        help: "Connections to a target, and TLS handshakes with it, that failed.",
        samples: |seen, out| {
            seen.0.metrics.targets.iter().try_for_each(|((group, target), sums)| {
                let failed = sums.get(Of::TargetConnectionErrors) + sums.get(Of::TargetTlsErrors);
                out.add(&[group, &target.to_string()], failed)
            })
        },
    },
];
