//! PURE: metrics of `xelb proxy`: of the process, of listeners, of target groups and targets. Names are those
//! of ELB's application load balancer where it has them.

mod groups;
mod listeners;

use crate::{
    family::{
        Family,
        Kind::{Counter, Gauge, Info},
    },
    proxy_observation::ProxyObservation,
};
use lb_proxy_control::Counter as Of;

/// All of them, in the order of the scrape.
pub(in crate::catalogue) fn families() -> impl Iterator<Item = &'static Family<ProxyObservation>> {
    PROCESS.iter().chain(listeners::FAMILIES).chain(groups::FAMILIES)
}

const PROCESS: &[Family<ProxyObservation>] = &[
    Family {
        name: "xelb_http_build_info",
        kind: Info,
        labels: &["version"],
        help: "Version of the proxy.",
        samples: |_, out| out.add(&[env!("CARGO_PKG_VERSION")], true),
    },
    Family {
        name: "xelb_http_configuration_refused",
        kind: Gauge,
        labels: &[],
        help: "1 when the last configuration was refused, so that an older one is served.",
        samples: |seen, out| out.add(&[], seen.0.state.refused),
    },
    Family {
        name: "xelb_http_agent_absent_seconds",
        kind: Gauge,
        labels: &[],
        help: "How long no agent has said what to serve: 0 while one is followed, absent without an agent.",
        samples: |seen, out| {
            let mut absent = seen.0.agent_absent.iter();
            absent.try_for_each(|absent| out.add(&[], absent.as_secs()))
        },
    },
    Family {
        name: "xelb_http_failed_requests_total",
        kind: Counter,
        labels: &["reason"],
        help: "Requests that were not served as asked, by the reason of the access log.",
        samples: |seen, out| {
            let mut failures = seen.0.metrics.failures.iter();
            failures.try_for_each(|(reason, count)| out.add(&[reason], *count))
        },
    },
    Family {
        name: "xelb_http_access_log_lines_lost_total",
        kind: Counter,
        labels: &[],
        help: "Lines of the access log that were lost, since nobody took them in time.",
        samples: |seen, out| {
            out.add(
                &[],
                seen.0.metrics.total.get(Of::LostLogLines) + seen.0.state.lines_not_written,
            )
        },
    },
];
