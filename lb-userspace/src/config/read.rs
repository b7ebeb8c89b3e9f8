//! From the tree to the model: every key, its default and its range. What keys mean together is in
//! `rules.rs`.

use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    error::At,
    model::{
        Config, HealthCheck, HealthProtocol, Listener, Matcher, Protocol, Target, TargetGroup,
        Tunnel,
    },
    section::{Findings, Section},
    tree::{Node, Value},
    values::{self, ProbeKind},
};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_mins(5);
const HEALTHY_THRESHOLD: u32 = 3;
const UNHEALTHY_THRESHOLD: u32 = 2;
const WEIGHT: u32 = 100;
const DEREGISTRATION_DELAY: Duration = Duration::from_mins(5);
const DEREGISTRATION_DELAY_MAX: Duration = Duration::from_hours(1);
const SLOW_START_MAX: Duration = Duration::from_mins(15);

/// Where the parts of a configuration stand, in the order of the model.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) interfaces: Vec<At>,
    pub(super) groups: Vec<GroupPlaces>,
    /// Names of target groups that have errors of their own.
    pub(super) broken_groups: Vec<String>,
    pub(super) listeners: Vec<At>,
}

/// Where the parts of a target group stand.
#[derive(Debug)]
pub(super) struct GroupPlaces {
    pub(super) at: At,
    pub(super) targets: Vec<At>,
}

/// Reads everything. Parts with errors are left out: what is returned is whole only when `findings`
/// has no error.
pub(super) fn config(root: &Node, findings: &Findings) -> (Config, Places) {
    let mut places = Places::default();
    let at = At { path: String::new(), line: root.line };
    let mut config = Config {
        interfaces: Vec::new(),
        tunnel: default_tunnel(),
        hash_seed: None,
        target_groups: Vec::new(),
        listeners: Vec::new(),
    };
    let Some(root) = Section::new(root, at, findings) else {
        return (config, places);
    };
    config.hash_seed = root.read("hash_seed", values::hash_seed);
    if let Some(section) = root.section("tunnel") {
        config.tunnel = tunnel(section);
    }
    if let Some(entry) = root.required("interfaces", "interfaces: [eth0]")
        && entry.node.value == Value::List(Vec::new())
    {
        findings.error(&entry.at, "is empty; name at least one interface");
    }
    for entry in root.list("interfaces") {
        match values::interface(entry.node) {
            Ok(name) => {
                config.interfaces.push(name);
                places.interfaces.push(entry.at);
            }
            Err(message) => findings.error(&entry.at, message),
        }
    }
    for entry in root.list("target_groups") {
        let at = entry.at.clone();
        let group = Section::new(entry.node, entry.at, findings).and_then(target_group);
        if let Some((group, targets)) = group {
            config.target_groups.push(group);
            places.groups.push(GroupPlaces { at, targets });
        } else if let Some(name) = entry.node.get("name").and_then(Node::as_text) {
            places.broken_groups.push(name.to_owned());
        }
    }
    for entry in root.list("listeners") {
        let at = entry.at.clone();
        if let Some(listener) = Section::new(entry.node, entry.at, findings).and_then(listener) {
            config.listeners.push(listener);
            places.listeners.push(at);
        }
    }
    root.finish();
    (config, places)
}

/// 172.16.0.0/16 as Katran has it, and the discard prefix of RFC 6666.
fn default_tunnel() -> Tunnel {
    let v4 = Ipv4Net::new_assert([172, 16, 0, 0].into(), 16);
    let v6 = Ipv6Net::new_assert([0x100, 0, 0, 0, 0, 0, 0, 0].into(), 64);
    Tunnel { source_ipv4: v4, source_ipv6: v6 }
}

fn tunnel(section: Section<'_>) -> Tunnel {
    let default = default_tunnel();
    let v4 = section.read("source_ipv4", values::source_ipv4);
    let v6 = section.read("source_ipv6", values::source_ipv6);
    section.finish();
    Tunnel {
        source_ipv4: v4.unwrap_or(default.source_ipv4),
        source_ipv6: v6.unwrap_or(default.source_ipv6),
    }
}

fn target_group(section: Section<'_>) -> Option<(TargetGroup, Vec<At>)> {
    let name = section.require("name", "name: web", values::name);
    let protocol = section.require("protocol", "protocol: tcp", values::protocol);
    let port = section.require("port", "port: 80", values::port);
    let forwarding = section.require("forwarding", "forwarding: ipip", values::mode);
    let mut targets = Vec::new();
    let mut places = Vec::new();
    for entry in section.list("targets") {
        let at = entry.at.clone();
        let read = Section::new(entry.node, entry.at, section.findings);
        if let Some(target) = read.and_then(|section| target(section, port)) {
            targets.push(target);
            places.push(at);
        }
    }
    let health_check = health_check(&section, protocol);
    let delay = section.section("attributes").map(attributes);
    section.finish();
    Some((
        TargetGroup {
            name: name?,
            protocol: protocol?,
            port: port?,
            forwarding: forwarding?,
            targets,
            health_check: health_check?,
            deregistration_delay: delay?,
        },
        places,
    ))
}

fn target(section: Section<'_>, group_port: Option<u16>) -> Option<Target> {
    let address = section.require("address", "address: 10.0.1.11", values::address);
    let port = section.read("port", values::port).or(group_port);
    let weight = section.read("weight", values::weight).unwrap_or(WEIGHT);
    section.finish();
    Some(Target { address: address?, port: port?, weight })
}

fn health_check(group: &Section<'_>, protocol: Option<Protocol>) -> Option<HealthCheck> {
    let given = group.entry("health_check").is_some();
    if !given && protocol == Some(Protocol::Udp) {
        group.findings.error(
            &group.at,
            "a udp group needs a `health_check`: nothing can be learned from silence on udp; for \
             example `health_check: { protocol: tcp, port: 8080 }`",
        );
    }
    let section = group.section("health_check")?;
    let kind = match section.entry("protocol") {
        None => Some(ProbeKind::Tcp),
        // A wrong one says nothing about the other keys.
        Some(_) => section.read("protocol", values::probe),
    };
    let port = section.read("port", values::check_port).flatten();
    let duration = |key, min| section.read(key, |node| values::duration(node, min..=INTERVAL_MAX));
    let interval = duration("interval", INTERVAL_MIN);
    let timeout = duration("timeout", TIMEOUT_MIN);
    let threshold = |key| section.read(key, |node| values::number(node, 1..=10));
    let healthy_threshold = threshold("healthy_threshold").unwrap_or(HEALTHY_THRESHOLD);
    let unhealthy_threshold = threshold("unhealthy_threshold").unwrap_or(UNHEALTHY_THRESHOLD);
    let protocol = probe(&section, kind);
    let interval = interval.unwrap_or(INTERVAL);
    // A short interval alone must not be an error because of a default.
    let timeout = timeout.unwrap_or_else(|| TIMEOUT.min(interval));
    if timeout > interval {
        let message = format!("timeout {timeout:?} is longer than the interval {interval:?}");
        section.findings.error(&section.at, message);
    }
    section.finish();
    Some(HealthCheck { protocol, port, interval, timeout, healthy_threshold, unhealthy_threshold })
}

fn probe(section: &Section<'_>, kind: Option<ProbeKind>) -> HealthProtocol {
    let path = section.read("path", values::http_path);
    let matcher = section.read("matcher", values::matcher);
    match kind {
        Some(ProbeKind::Http) => HealthProtocol::Http {
            path: path.unwrap_or_else(|| "/".to_owned()),
            matcher: matcher.unwrap_or(Matcher(vec![(200, 399)])),
        },
        None => HealthProtocol::Tcp,
        Some(ProbeKind::Tcp) => {
            for key in ["path", "matcher"] {
                if let Some(entry) = section.entry(key) {
                    section
                        .findings
                        .error(&entry.at, "belongs to `protocol: http`, this check is tcp");
                }
            }
            HealthProtocol::Tcp
        }
    }
}

/// The deregistration delay; the other attributes have no effect yet but their defaults.
fn attributes(section: Section<'_>) -> Duration {
    let delay = section.read("deregistration_delay", |node| {
        values::duration(node, Duration::ZERO..=DEREGISTRATION_DELAY_MAX)
    });
    if let Some(entry) = section.entry("deregistration_delay") {
        section.findings.warn(
            &entry.at,
            "has no effect in this version: a target that is removed leaves at once; drain it first",
        );
    }
    section.read("slow_start", |node| {
        match values::duration(node, Duration::ZERO..=SLOW_START_MAX)? {
            Duration::ZERO => Ok(()),
            _ => Err("slow start is not available in this version; use 0s".to_owned()),
        }
    });
    section.read("stickiness", |node| match node.as_text() {
        Some("none") => Ok(()),
        Some("source_ip") => Err("source_ip is not available in this version; use none".to_owned()),
        _ => Err("must be none".to_owned()),
    });
    section.finish();
    delay.unwrap_or(DEREGISTRATION_DELAY)
}

fn listener(section: Section<'_>) -> Option<Listener> {
    let name = section.require("name", "name: web", values::name);
    let address = section.require("address", "address: 203.0.113.10", values::address);
    let port = section.require("port", "port: 80", values::listener_port);
    let protocol = section.require("protocol", "protocol: tcp", values::protocol);
    let example = "default_action: { forward: { target_group: web } }";
    let mut target_group = None;
    if section.required("default_action", example).is_some()
        && let Some(action) = section.section("default_action")
    {
        if action.required("forward", "forward: { target_group: web }").is_some()
            && let Some(forward) = action.section("forward")
        {
            target_group = forward.require("target_group", "target_group: web", values::name);
            forward.finish();
        }
        action.finish();
    }
    section.finish();
    Some(Listener {
        name: name?,
        address: address?,
        port: port?,
        protocol: protocol?,
        target_group: target_group?,
    })
}
