//! The attributes of a listener of HTTP.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use lb_rules::Protocol;

use super::condition::all;
use crate::{
    model::{AccessLog, DesyncMitigation, HttpAttributes, LogFormat, XffProcessing},
    section::Section,
    values,
};

const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const IDLE_TIMEOUT_MAX: Duration = Duration::from_secs(4000);
const CLIENT_KEEP_ALIVE: Duration = Duration::from_hours(1);
const CLIENT_KEEP_ALIVE_MIN: Duration = Duration::from_mins(1);
const TUNNEL_TIMEOUT: Duration = Duration::from_hours(1);
const DURATION_MIN: Duration = Duration::from_secs(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Attributes that listeners of other protocols do not have.
pub(super) const KEYS: [&str; 11] = [
    "client_keep_alive",
    "tunnel_timeout",
    "desync_mitigation",
    "xff_header_processing",
    "xff_client_port",
    "trusted_proxies",
    "drop_invalid_header_fields",
    "preserve_host_header",
    "http2",
    "access_log",
    "connection_log",
];

/// Those of them that listeners of `tls` have, too.
pub(super) const OF_TLS: [&str; 3] = ["trusted_proxies", "access_log", "connection_log"];

/// Formats of logs whose fields are ALB's.
pub(super) const JSON_OR_ALB: [(&str, LogFormat); 2] =
    [("json", LogFormat::Json), ("alb", LogFormat::Alb)];

/// Reads `attributes`. What is wrong has its default.
pub(super) fn http_attributes(section: Section<'_>, protocol: Protocol) -> HttpAttributes {
    for key in ["udp_flows", "allow_own_address"] {
        let message = format!("belongs to listeners of tcp, udp and quic; this one is {protocol}");
        section.refuse(key, message);
    }
    let seconds = |key, default, range| {
        section.read(key, |node| values::seconds(node, range)).unwrap_or(default)
    };
    let truth = |key| section.read(key, values::truth).unwrap_or_default();
    let attributes = HttpAttributes {
        idle_timeout: seconds("idle_timeout", IDLE_TIMEOUT, DURATION_MIN..=IDLE_TIMEOUT_MAX),
        client_keep_alive: seconds(
            "client_keep_alive",
            CLIENT_KEEP_ALIVE,
            CLIENT_KEEP_ALIVE_MIN..=WEEK,
        ),
        tunnel_timeout: seconds("tunnel_timeout", TUNNEL_TIMEOUT, DURATION_MIN..=WEEK),
        desync_mitigation: desync_mitigation(&section),
        xff_header_processing: xff_header_processing(&section),
        xff_client_port: truth("xff_client_port"),
        trusted_proxies: trusted_proxies(&section),
        drop_invalid_header_fields: truth("drop_invalid_header_fields"),
        preserve_host_header: truth("preserve_host_header"),
        http2: http2(&section, protocol),
        access_log: log_file(&section, "access_log", &JSON_OR_ALB),
        connection_log: log_file(&section, "connection_log", &JSON_OR_ALB),
    };
    section.finish();
    attributes
}

fn desync_mitigation(section: &Section<'_>) -> DesyncMitigation {
    let words = [
        ("monitor", DesyncMitigation::Monitor),
        ("defensive", DesyncMitigation::Defensive),
        ("strictest", DesyncMitigation::Strictest),
    ];
    let read = |node: &_| values::word(node, &words, "monitor, defensive or strictest");
    section.read("desync_mitigation", read).unwrap_or_default()
}

fn xff_header_processing(section: &Section<'_>) -> XffProcessing {
    let words = [
        ("append", XffProcessing::Append),
        ("preserve", XffProcessing::Preserve),
        ("remove", XffProcessing::Remove),
    ];
    let read = |node: &_| values::word(node, &words, "append, preserve or remove");
    section.read("xff_header_processing", read).unwrap_or_default()
}

/// As ELB: clients speak HTTP/2 over TLS alone.
fn http2(section: &Section<'_>, protocol: Protocol) -> bool {
    let is_https = protocol == Protocol::Https;
    let wanted = section.read("http2", values::truth).unwrap_or(is_https);
    if let (true, false, Some(entry)) = (wanted, is_https, section.entry("http2")) {
        let message = "belongs to `protocol: https`; this listener is http";
        section.findings.error(&entry.at, message);
    }
    wanted && is_https
}

/// Sources whose connections begin with a PROXY header.
pub(super) fn trusted_proxies(attributes: &Section<'_>) -> Vec<IpNet> {
    all(attributes, "trusted_proxies", values::source).unwrap_or_default()
}

/// A log in one of two formats.
pub(super) fn log_file(
    attributes: &Section<'_>,
    key: &'static str,
    formats: &[(&str, LogFormat); 2],
) -> Option<AccessLog> {
    attributes.entry(key)?;
    let section = attributes.section(key)?;
    let example = "/var/log/xelb/shop.log";
    let file: Option<PathBuf> =
        section.require("file", &format!("file: {example}"), |node| values::file(node, example));
    let wanted = format!("{} or {}", formats[0].0, formats[1].0);
    let format = section.read("format", |node| values::word(node, formats, &wanted));
    section.finish();
    Some(AccessLog { file: file?, format: format.unwrap_or_default() })
}
