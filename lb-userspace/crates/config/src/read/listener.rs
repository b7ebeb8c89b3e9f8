//! One listener.

use std::time::Duration;

use super::{http_attributes, tags::tags};
use crate::{
    error::At,
    model::{Listener, Protocol, Tags, UdpFlows},
    section::Section,
    values,
};

const TCP_IDLE_TIMEOUT_MIN: Duration = Duration::from_mins(1);
const UDP_IDLE_TIMEOUT_MIN: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT_MAX: Duration = Duration::from_mins(100);

/// A listener, where its groups are named, and its tags.
pub(super) fn listener(section: Section<'_>) -> Option<(Listener, At, Option<At>, Tags)> {
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
    let groups = forward(&section).and_then(|forward| {
        let sorry = forward.read("sorry_target_group", values::name);
        let sorry_at = forward.entry("sorry_target_group").map(|entry| entry.at);
        Some((target_group(forward)?, sorry.zip(sorry_at)))
    });
    let attributes = section.section("attributes").map(|section| attributes(section, protocol));
    let tags = tags(&section);
    section.finish();
    let ((target_group, at), sorry) = groups?;
    let (sorry_target_group, sorry_at) = sorry.unzip();
    let (name, address, ports, protocol) = (name?, address?, ports?, protocol?);
    let Attributes { idle_timeout, udp_flows, allow_own_address } = attributes?;
    let idle_timeout = idle_timeout.unwrap_or(protocol.idle_timeout());
    let listener = Listener {
        name,
        address,
        ports,
        protocol,
        target_group,
        sorry_target_group,
        idle_timeout,
        udp_flows,
        allow_own_address,
    };
    Some((listener, at, sorry_at, tags))
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
    target_group(forward(listener)?)
}

/// The section `default_action.forward` of a listener.
fn forward<'a>(listener: &Section<'a>) -> Option<Section<'a>> {
    let example = "default_action: { forward: { target_group: web } }";
    listener.required("default_action", example)?;
    let action = listener.section("default_action")?;
    let forward = action
        .required("forward", "forward: { target_group: web }")
        .and_then(|_| action.section("forward"));
    action.finish();
    forward
}

fn target_group(forward: Section<'_>) -> Option<(String, At)> {
    let name = forward.require("target_group", "target_group: web", values::name);
    let at = forward.entry("target_group").map(|entry| entry.at);
    forward.finish();
    name.zip(at)
}
