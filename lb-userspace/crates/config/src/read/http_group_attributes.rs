//! The attributes of a target group that the proxy reaches.

use std::time::Duration;

use lb_rules::{limits, sticky::check_app_cookie_name};

use super::{
    condition::all,
    life::{deregistration_delay, minimum_healthy, slow_start},
};
use crate::{
    model::{
        Algorithm, CookieStickiness, HttpGroupProtocol, HttpVersion, MinimumHealthy, ProxyProtocol,
        Retries, RetryReason,
    },
    section::Section,
    values,
};

const STICKINESS: Duration = Duration::from_hours(24);
const RETRY_ATTEMPTS_MAX: u32 = 5;
const CONNECTIONS_MAX: u32 = 1_000_000;

/// Attributes of groups that the data path reaches.
const OF_PACKETS: [&str; 7] = [
    "connection_termination",
    "unhealthy_draining_interval",
    "gue_port",
    "gue_variant",
    "tcp_mss",
    "backup_threshold",
    "quorum",
];

/// Attributes that groups of other protocols do not have.
pub(super) const KEYS: [&str; 5] =
    ["algorithm", "anomaly_mitigation", "retries", "max_connections", "proxy_protocol"];

pub(super) struct Attributes {
    pub(super) deregistration_delay: Duration,
    pub(super) minimum_healthy: MinimumHealthy,
    pub(super) algorithm: Algorithm,
    pub(super) stickiness: CookieStickiness,
    pub(super) slow_start: Duration,
    pub(super) anomaly_mitigation: bool,
    pub(super) retries: Retries,
    pub(super) max_connections: Option<u32>,
    pub(super) proxy_protocol: ProxyProtocol,
}

/// Reads `attributes`. What is wrong has its default.
pub(super) fn attributes(
    section: Section<'_>,
    protocol: HttpGroupProtocol,
    version: HttpVersion,
) -> Attributes {
    for key in OF_PACKETS {
        let message = if protocol == HttpGroupProtocol::Tcp {
            "belongs to groups with `forwarding`; the proxy connects to the targets of this one"
                .to_owned()
        } else {
            format!("belongs to groups of tcp, udp and quic; this one is {protocol}")
        };
        section.refuse(key, message);
    }
    let connections = |node: &_| values::number(node, 0..=CONNECTIONS_MAX);
    let attributes = Attributes {
        deregistration_delay: deregistration_delay(&section),
        minimum_healthy: minimum_healthy(&section),
        algorithm: algorithm(&section),
        stickiness: stickiness(&section, protocol),
        slow_start: section.read("slow_start", slow_start).unwrap_or_default(),
        anomaly_mitigation: section.read("anomaly_mitigation", values::on_off).unwrap_or_default(),
        retries: retries(&section, protocol),
        max_connections: section.read("max_connections", connections).filter(|most| *most > 0),
        proxy_protocol: proxy_protocol(&section, version),
    };
    section.finish();
    attributes
}

fn algorithm(section: &Section<'_>) -> Algorithm {
    let words = [
        ("round_robin", Algorithm::RoundRobin),
        ("least_outstanding_requests", Algorithm::LeastOutstandingRequests),
        ("weighted_random", Algorithm::WeightedRandom),
    ];
    let wanted = "an algorithm: round_robin, least_outstanding_requests or weighted_random";
    let read = |node: &_| values::word(node, &words, wanted);
    section.read("algorithm", read).unwrap_or_default()
}

fn stickiness(attributes: &Section<'_>, protocol: HttpGroupProtocol) -> CookieStickiness {
    let Some(entry) = attributes.entry("stickiness") else {
        return CookieStickiness::None;
    };
    match entry.node.as_text() {
        Some("none") => return CookieStickiness::None,
        _ if protocol == HttpGroupProtocol::Tcp => {
            let message = "is none for connections of tls, as with ELB: cookies are inside of \
                           requests, and `source_ip` belongs to groups with `forwarding`; remove it";
            attributes.findings.error(&entry.at, message);
            return CookieStickiness::None;
        }
        Some(_) => {
            let wanted = "a stickiness: none, or a section such as `{ type: lb_cookie, duration: \
                          1d }`";
            attributes.findings.error(&entry.at, values::wrong(entry.node, wanted));
            return CookieStickiness::None;
        }
        None => {}
    }
    let Some(section) = attributes.section("stickiness") else {
        return CookieStickiness::None;
    };
    let words = [("lb_cookie", false), ("app_cookie", true)];
    let read = |node: &_| values::word(node, &words, "lb_cookie or app_cookie");
    let of_application = section.require("type", "type: lb_cookie", read);
    let range = limits::STICKINESS;
    let duration = section.read("duration", |node| values::seconds(node, range));
    let duration = duration.unwrap_or(STICKINESS);
    let name = section.read("name", |node| {
        let name = values::text(node)?;
        check_app_cookie_name(&name).map(|()| name).map_err(|error| error.to_string())
    });
    match (of_application, section.entry("name")) {
        (Some(false), Some(entry)) => {
            section.findings.error(&entry.at, "belongs to `type: app_cookie`; this is lb_cookie");
        }
        (Some(true), None) => {
            section.required("name", "name: JSESSIONID");
        }
        _ => {}
    }
    section.finish();
    match (of_application, name) {
        (Some(false), _) => CookieStickiness::LbCookie(duration),
        (Some(true), Some(name)) => CookieStickiness::AppCookie { name, duration },
        _ => CookieStickiness::None,
    }
}

fn retries(attributes: &Section<'_>, protocol: HttpGroupProtocol) -> Retries {
    let default = Retries::default();
    let Some(section) = attributes.section("retries") else {
        return default;
    };
    let attempts = section.read("attempts", |node| values::number(node, 0..=RETRY_ATTEMPTS_MAX));
    let budget_percent = section.read("budget", values::percentage);
    let on = all(&section, "on", values::retry_reason);
    if let (Some([]), Some(entry)) = (on.as_deref(), section.entry("on")) {
        let message = "is empty; name a reason, or turn retries off with `attempts: 0`";
        section.findings.error(&entry.at, message);
    }
    let is_connect = |reason: &RetryReason| *reason == RetryReason::ConnectFailure;
    if let (HttpGroupProtocol::Tcp, Some(on), Some(entry)) = (protocol, &on, section.entry("on"))
        && !on.iter().all(is_connect)
    {
        let message = "of a group of tcp may be `connect_failure` alone: bytes that a target has got \
                       cannot be sent to another one";
        section.findings.error(&entry.at, message);
    }
    section.finish();
    Retries {
        attempts: attempts.unwrap_or(default.attempts),
        budget_percent: budget_percent.unwrap_or(default.budget_percent),
        on: on.unwrap_or(default.on),
    }
}

/// A connection of HTTP/2 has requests of many clients, and a PROXY header names one.
fn proxy_protocol(section: &Section<'_>, version: HttpVersion) -> ProxyProtocol {
    let words =
        [("none", ProxyProtocol::None), ("v1", ProxyProtocol::V1), ("v2", ProxyProtocol::V2)];
    let read = |node: &_| values::word(node, &words, "none, v1 or v2");
    let protocol = section.read("proxy_protocol", read).unwrap_or_default();
    if let (true, HttpVersion::Http2, Some(entry)) =
        (protocol != ProxyProtocol::None, version, section.entry("proxy_protocol"))
    {
        let message = "belongs to `protocol_version: http1`: a connection of HTTP/2 carries requests \
                       of many clients";
        section.findings.error(&entry.at, message);
    }
    protocol
}
