//! PURE: metrics of the listeners of the proxy.

use std::fmt;

use lb_proxy_control::{Counter as Of, Sums};

use crate::{
    family::{
        Family,
        Kind::{Counter, Gauge, Info},
        Samples,
    },
    proxy_observation::ProxyObservation,
};

/// A counter of each listener.
fn each(
    seen: &ProxyObservation,
    out: &mut Samples<'_>,
    number: impl Fn(&Sums) -> u64,
) -> fmt::Result {
    let mut listeners = seen.0.metrics.listeners.iter();
    listeners.try_for_each(|(name, sums)| out.add(&[name], number(sums)))
}

/// Classes of statuses, with their counters.
pub(super) const OF_TARGETS: [(&str, Of); 4] = [
    ("2xx", Of::Target2xx),
    ("3xx", Of::Target3xx),
    ("4xx", Of::Target4xx),
    ("5xx", Of::Target5xx),
];
pub(super) const OF_ELB: [(&str, Of); 3] =
    [("3xx", Of::Elb3xx), ("4xx", Of::Elb4xx), ("5xx", Of::Elb5xx)];

fn classes(seen: &ProxyObservation, out: &mut Samples<'_>, classes: &[(&str, Of)]) -> fmt::Result {
    seen.0.metrics.listeners.iter().try_for_each(|(name, sums)| {
        classes.iter().try_for_each(|(class, of)| out.add(&[name, class], sums.get(*of)))
    })
}

pub(super) const FAMILIES: &[Family<ProxyObservation>] = &[
    Family {
        name: "xelb_http_listener_info",
        kind: Info,
        labels: &["listener", "address", "protocol"],
        help: "Where a listener of the proxy listens.",
        samples: |seen, out| {
            let mut listeners = seen.0.state.listeners.iter();
            listeners.try_for_each(|one| {
                out.add(&[&one.name, &one.address.to_string(), one.protocol], true)
            })
        },
    },
    Family {
        name: "xelb_http_new_connections_total",
        kind: Counter,
        labels: &["listener"],
        help: "Connections of clients that were accepted.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::NewConnections)),
    },
    Family {
        name: "xelb_http_active_connections",
        kind: Gauge,
        labels: &["listener"],
        help: "Open connections of clients.",
        samples: |seen, out| {
            each(seen, out, |sums| {
                sums.get(Of::NewConnections).saturating_sub(sums.get(Of::ClosedConnections))
            })
        },
    },
    Family {
        name: "xelb_http_rejected_connections_total",
        kind: Counter,
        labels: &["listener"],
        help: "Connections of trusted proxies that were closed since they had no valid PROXY header.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::RejectedConnections)),
    },
    Family {
        name: "xelb_http_connection_limit_waits_total",
        kind: Counter,
        labels: &["listener"],
        help: "Times that a worker accepted nothing for a while, since it had as many connections as it may have.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::ConnectionLimitWaits)),
    },
    Family {
        name: "xelb_http_flooding_connections_total",
        kind: Counter,
        labels: &["listener"],
        help: "Connections of HTTP/2 that were ended with ENHANCE_YOUR_CALM, since their client floods.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::FloodingConnections)),
    },
    Family {
        name: "xelb_http_client_tls_errors_total",
        kind: Counter,
        labels: &["listener"],
        help: "TLS handshakes with clients that failed.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::ClientTlsErrors)),
    },
    Family {
        name: "xelb_http_tls_connections_total",
        kind: Counter,
        labels: &["listener"],
        help: "Connections of a listener of tls that went to a target.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::TlsConnections)),
    },
    Family {
        name: "xelb_http_requests_total",
        kind: Counter,
        labels: &["listener"],
        help: "Requests, answered or not.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::Requests)),
    },
    Family {
        name: "xelb_http_elb_responses_total",
        kind: Counter,
        labels: &["listener", "class"],
        help: "Responses of the proxy itself, by class of status.",
        samples: |seen, out| classes(seen, out, &OF_ELB),
    },
    Family {
        name: "xelb_http_target_responses_total",
        kind: Counter,
        labels: &["listener", "class"],
        help: "Responses of targets, by class of status.",
        samples: |seen, out| classes(seen, out, &OF_TARGETS),
    },
    Family {
        name: "xelb_http_received_bytes_total",
        kind: Counter,
        labels: &["listener"],
        help: "Bytes of requests, and of connections of listeners of tls.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::ReceivedBytes)),
    },
    Family {
        name: "xelb_http_sent_bytes_total",
        kind: Counter,
        labels: &["listener"],
        help: "Bytes of responses, and to clients of listeners of tls.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::SentBytes)),
    },
    Family {
        name: "xelb_http_rule_evaluations_total",
        kind: Counter,
        labels: &["listener"],
        help: "Rules whose conditions were tried.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::RuleEvaluations)),
    },
    Family {
        name: "xelb_http_redirects_total",
        kind: Counter,
        labels: &["listener"],
        help: "Redirects of rules.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::Redirects)),
    },
    Family {
        name: "xelb_http_fixed_responses_total",
        kind: Counter,
        labels: &["listener"],
        help: "Fixed responses of rules.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::FixedResponses)),
    },
    Family {
        name: "xelb_http_non_compliant_requests_total",
        kind: Counter,
        labels: &["listener"],
        help: "Requests that did not comply, and were normalised or passed.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::NonCompliantRequests)),
    },
    Family {
        name: "xelb_http_tunnels_total",
        kind: Counter,
        labels: &["listener"],
        help: "Tunnels that were opened, such as WebSockets.",
        samples: |seen, out| each(seen, out, |sums| sums.get(Of::Tunnels)),
    },
];
