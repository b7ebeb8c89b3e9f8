//! The health check of a target group.

use std::time::Duration;

use lb_common::target::Mode;

use super::{
    probe::{ProbeDefaults, probe},
    via::via,
};
use crate::{
    model::{HealthCheck, HealthProtocol, Protocol},
    section::Section,
    values,
};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MIN: Duration = Duration::from_millis(10);
const PROBE_TIME_MAX: Duration = Duration::from_mins(5);
const HEALTHY_THRESHOLD: u32 = 3;
const UNHEALTHY_THRESHOLD: u32 = 2;
const INCONCLUSIVE_TIMEOUT: Duration = Duration::from_mins(5);
const INCONCLUSIVE_TIMEOUT_MAX: Duration = Duration::from_hours(24);

/// The group whose targets are checked.
pub(super) enum Checked {
    /// The data path reaches it, with this protocol and forwarding mode, if both are right.
    Packets { protocol: Option<Protocol>, mode: Option<Mode> },
    /// The proxy reaches it. Checks do by default what requests do.
    Requests(ProbeDefaults),
}

pub(super) fn health_check(group: &Section<'_>, checked: Checked) -> Option<HealthCheck> {
    let given = group.entry("health_check").is_some();
    if !given
        && let Checked::Packets {
            protocol: Some(protocol @ (Protocol::Udp | Protocol::Quic)), ..
        } = checked
    {
        let message = format!(
            "a {protocol} group needs a `health_check`: a missing answer on udp says nothing \
             about the target; for example `health_check: {{ protocol: tcp, port: 8080 }}`"
        );
        group.findings.error(&group.at, message);
    }
    let section = group.section("health_check")?;
    let is_proxied = matches!(checked, Checked::Requests(_));
    let (mode, defaults) = match checked {
        Checked::Packets { mode, .. } => (mode, ProbeDefaults::TCP),
        Checked::Requests(defaults) => (None, defaults),
    };
    let protocol = probe(&section, &defaults);
    let port = section.read("port", values::check_port).flatten();
    if let (Some(HealthProtocol::Icmp), Some(entry)) = (&protocol, section.entry("port")) {
        section
            .findings
            .error(&entry.at, "does not belong to checks of `icmp`: pings have no port");
    }
    let via = via(&section, mode, is_proxied, protocol.as_ref());
    let threshold = |key| section.read(key, |node| values::number(node, 1..=10));
    let healthy_threshold = threshold("healthy_threshold").unwrap_or(HEALTHY_THRESHOLD);
    let unhealthy_threshold = threshold("unhealthy_threshold").unwrap_or(UNHEALTHY_THRESHOLD);
    let (interval, timeout) = times(&section);
    let inconclusive_timeout = section
        .read("inconclusive_timeout", |node| {
            values::duration(node, Duration::ZERO..=INCONCLUSIVE_TIMEOUT_MAX)
        })
        .unwrap_or(INCONCLUSIVE_TIMEOUT);
    let inconclusive_timeout = Some(inconclusive_timeout).filter(|timeout| !timeout.is_zero());
    section.finish();
    let protocol = protocol?;
    Some(HealthCheck {
        protocol,
        port,
        via,
        interval,
        timeout,
        healthy_threshold,
        unhealthy_threshold,
        inconclusive_timeout,
    })
}

/// The interval and the timeout of a health check.
fn times(section: &Section<'_>) -> (Duration, Duration) {
    let duration =
        |key, min| section.read(key, |node| values::duration(node, min..=PROBE_TIME_MAX));
    let (interval, timeout) =
        (duration("interval", INTERVAL_MIN), duration("timeout", TIMEOUT_MIN));
    let interval_wrong = interval.is_none() && section.entry("interval").is_some();
    let interval = interval.unwrap_or(INTERVAL);
    // A short interval alone must not be an error because of a default.
    let Some(timeout) = timeout else {
        return (interval, TIMEOUT.min(interval));
    };
    if timeout > interval
        && !interval_wrong
        && let Some(entry) = section.entry("timeout")
    {
        let (timeout, interval) = (values::shown(timeout), values::shown(interval));
        section
            .findings
            .error(&entry.at, format!("{timeout} is longer than the interval, {interval}"));
    }
    (interval, timeout)
}
