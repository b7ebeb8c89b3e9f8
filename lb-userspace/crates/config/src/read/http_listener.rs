//! A listener of HTTP, or of TLS.

use std::time::Duration;

use ipnet::IpNet;
use lb_rules::{ListenerEnd, Protocol};

use super::{
    action::action,
    certificates::listener_tls,
    http_attributes::{self, JSON_OR_ALB, http_attributes, log_file, trusted_proxies},
    listener::default_action,
    rules::rules,
    tags::tags,
};
use crate::{
    model::{AccessLog, HttpListener, LogFormat, TlsListener},
    positions::{GroupReference, ProxyListenerPositions},
    section::Section,
    values,
};

const TLS_IDLE_TIMEOUT: Duration = Duration::from_secs(350);
const TLS_IDLE_TIMEOUT_MIN: Duration = Duration::from_mins(1);
const TLS_IDLE_TIMEOUT_MAX: Duration = Duration::from_mins(100);

/// What every listener has.
struct Endpoint {
    name: Option<String>,
    address: Option<IpNet>,
    port: Option<u16>,
}

fn endpoint(section: &Section<'_>) -> Endpoint {
    // It is known already.
    let _protocol = section.entry("protocol");
    Endpoint {
        name: section.require("name", "name: web", values::name),
        address: section.require("address", "address: 203.0.113.10", values::listener_address),
        port: section.require("port", "port: 443", values::port),
    }
}

/// A listener of `http` or `https`.
pub(super) fn http_listener(
    section: Section<'_>,
    protocol: Protocol,
    index: usize,
) -> Option<(HttpListener, ProxyListenerPositions)> {
    let at = section.at.clone();
    let Endpoint { name, address, port } = endpoint(&section);
    let tls = match protocol {
        Protocol::Https => listener_tls(&section, true).map(Some),
        Protocol::Http => {
            for key in ["certificates", "tls"] {
                section.refuse(key, "belongs to listeners of https and tls; this one is http");
            }
            Some(None)
        }
    };
    let mut references = Vec::new();
    let default_action = action(&section, "default_action", &mut references);
    let end = port.map(|port| ListenerEnd { protocol, port });
    let rules = rules(&section, default_action.as_ref(), end, &mut references);
    let attributes = section.section("attributes").map(|one| http_attributes(one, protocol));
    let tags = tags(&section);
    section.finish();
    let listener = HttpListener {
        name: name?,
        address: address?,
        port: port?,
        tls: tls?,
        rules,
        default_action: default_action?,
        attributes: attributes?,
    };
    Some((listener, ProxyListenerPositions { index, at, references, tags }))
}

/// A listener of `tls`.
pub(super) fn tls_listener(
    section: Section<'_>,
    index: usize,
) -> Option<(TlsListener, ProxyListenerPositions)> {
    let at = section.at.clone();
    let Endpoint { name, address, port } = endpoint(&section);
    section.refuse(
        "rules",
        "belongs to listeners of http and https; this one is tls, which sees no requests",
    );
    let tls = listener_tls(&section, false);
    let target_group = default_action(&section);
    let attributes = section.section("attributes").map(tls_attributes);
    let tags = tags(&section);
    section.finish();
    let TlsAttributes { idle_timeout, trusted_proxies, access_log, connection_log } = attributes?;
    let (target_group, group_at) = target_group?;
    let references = vec![GroupReference { name: target_group.clone(), at: group_at }];
    let listener = TlsListener {
        name: name?,
        address: address?,
        port: port?,
        tls: tls?,
        target_group,
        idle_timeout,
        trusted_proxies,
        access_log,
        connection_log,
    };
    Some((listener, ProxyListenerPositions { index, at, references, tags }))
}

/// The attributes of a listener of `tls`.
struct TlsAttributes {
    idle_timeout: Duration,
    trusted_proxies: Vec<IpNet>,
    access_log: Option<AccessLog>,
    connection_log: Option<AccessLog>,
}

fn tls_attributes(attributes: Section<'_>) -> TlsAttributes {
    for key in
        http_attributes::KEYS.into_iter().filter(|key| !http_attributes::OF_TLS.contains(key))
    {
        attributes.refuse(key, "belongs to listeners of http and https; this one is tls");
    }
    for key in ["udp_flows", "allow_own_address"] {
        attributes.refuse(key, "belongs to listeners of tcp, udp and quic; this one is tls");
    }
    let range = TLS_IDLE_TIMEOUT_MIN..=TLS_IDLE_TIMEOUT_MAX;
    let idle_timeout = attributes.read("idle_timeout", |node| values::seconds(node, range));
    let trusted_proxies = trusted_proxies(&attributes);
    let formats = [("json", LogFormat::Json), ("nlb", LogFormat::Nlb)];
    let access_log = log_file(&attributes, "access_log", &formats);
    let connection_log = log_file(&attributes, "connection_log", &JSON_OR_ALB);
    attributes.finish();
    let idle_timeout = idle_timeout.unwrap_or(TLS_IDLE_TIMEOUT);
    TlsAttributes { idle_timeout, trusted_proxies, access_log, connection_log }
}
