//! One listener.

use std::time::Duration;

use super::http_attributes;
use crate::{
    error::At,
    model::{Listener, Protocol, UdpFlows},
    section::Section,
    values,
};

const TCP_IDLE_TIMEOUT_MIN: Duration = Duration::from_mins(1);
const UDP_IDLE_TIMEOUT_MIN: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT_MAX: Duration = Duration::from_mins(100);

pub(super) fn listener(section: Section<'_>) -> Option<(Listener, At)> {
    let name = section.require("name", "name: web", values::name);
    let address = section.require("address", "address: 203.0.113.10", values::listener_address);
    let ports = section.require("port", "port: 80", values::listener_ports);
    let protocol = section.require("protocol", "protocol: tcp", values::listener_protocol);
    if let Some(protocol) = protocol {
        let message = |whose| format!("belongs to listeners of {whose}; this one is {protocol}");
        section.refuse("rules", message("http and https"));
        for key in ["certificates", "tls"] {
            section.refuse(key, message("https and tls"));
        }
    }
    let target_group = default_action(&section);
    let attributes = section.section("attributes").map(|section| attributes(section, protocol));
    section.finish();
    let (target_group, at) = target_group?;
    let (name, address, ports, protocol) = (name?, address?, ports?, protocol?);
    let Attributes { idle_timeout, udp_flows, allow_own_address } = attributes?;
    let idle_timeout = idle_timeout.unwrap_or(protocol.idle_timeout());
    let listener = Listener {
        name,
        address,
        ports,
        protocol,
        target_group,
        idle_timeout,
        udp_flows,
        allow_own_address,
    };
    Some((listener, at))
}

/// What is under `attributes`.
struct Attributes {
    /// How long a silent flow is remembered, if the listener says so.
    idle_timeout: Option<Duration>,
    udp_flows: UdpFlows,
    allow_own_address: bool,
}

fn attributes(attributes: Section<'_>, protocol: Option<Protocol>) -> Attributes {
    if let Some(protocol) = protocol {
        for key in http_attributes::KEYS {
            let message = format!("belongs to listeners of http and https; this one is {protocol}");
            attributes.refuse(key, message);
        }
    }
    // While the protocol is wrong, what is right for any is right.
    let min = match protocol {
        Some(Protocol::Tcp) => TCP_IDLE_TIMEOUT_MIN,
        Some(Protocol::Udp | Protocol::Quic) | None => UDP_IDLE_TIMEOUT_MIN,
    };
    let idle_timeout =
        attributes.read("idle_timeout", |node| values::seconds(node, min..=IDLE_TIMEOUT_MAX));
    let udp_flows = attributes.read("udp_flows", |node| match node.as_text() {
        Some("tracked") => Ok(UdpFlows::Tracked),
        Some("stateless") => Ok(UdpFlows::Stateless),
        _ => Err(values::wrong(node, "tracked or stateless")),
    });
    if let (Some(protocol @ (Protocol::Tcp | Protocol::Quic)), Some(entry)) =
        (protocol, attributes.entry("udp_flows"))
    {
        let message = format!("belongs to `protocol: udp`; this listener is {protocol}");
        attributes.findings.error(&entry.at, message);
    }
    let allow_own_address = attributes.read("allow_own_address", values::truth);
    attributes.finish();
    Attributes {
        idle_timeout,
        udp_flows: udp_flows.unwrap_or_default(),
        allow_own_address: allow_own_address.unwrap_or_default(),
    }
}

/// The target group that a listener forwards to, and where it is named.
pub(super) fn default_action(listener: &Section<'_>) -> Option<(String, At)> {
    let example = "default_action: { forward: { target_group: web } }";
    listener.required("default_action", example)?;
    let action = listener.section("default_action")?;
    let forward = action
        .required("forward", "forward: { target_group: web }")
        .and_then(|_| action.section("forward"));
    action.finish();
    let forward = forward?;
    let name = forward.require("target_group", "target_group: web", values::name);
    let at = forward.entry("target_group").map(|entry| entry.at);
    forward.finish();
    name.zip(at)
}
