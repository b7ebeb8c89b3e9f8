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
    tree::Node,
    values::{self, ProbeKind},
};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MIN: Duration = Duration::from_millis(10);
const PROBE_TIME_MAX: Duration = Duration::from_mins(5);
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
    /// The whole list.
    pub(super) all_groups: At,
    pub(super) groups: Vec<GroupPlaces>,
    /// Whether a group was left out: a listener may name it.
    pub(super) group_missing: bool,
    /// The whole list.
    pub(super) all_listeners: At,
    pub(super) listeners: Vec<ListenerPlaces>,
}

/// Where the parts of a listener stand.
#[derive(Debug)]
pub(super) struct ListenerPlaces {
    pub(super) at: At,
    pub(super) target_group: At,
}

/// Where the parts of a target group stand.
#[derive(Debug)]
pub(super) struct GroupPlaces {
    pub(super) at: At,
    pub(super) port: At,
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
    if root.required("interfaces", "interfaces: [eth0]").is_some() {
        interfaces(&root, &mut config, &mut places);
    }
    target_groups(&root, &mut config, &mut places);
    listeners(&root, &mut config, &mut places);
    root.finish();
    (config, places)
}

fn interfaces(root: &Section<'_>, config: &mut Config, places: &mut Places) {
    let Some(list) = root.list("interfaces") else {
        return;
    };
    if list.entries.is_empty() {
        root.findings.error(&list.at, "is empty; name at least one interface");
    }
    for entry in list.entries {
        match values::interface(entry.node) {
            Ok(name) => {
                config.interfaces.push(name);
                places.interfaces.push(entry.at);
            }
            Err(message) => root.findings.error(&entry.at, message),
        }
    }
}

fn target_groups(root: &Section<'_>, config: &mut Config, places: &mut Places) {
    let Some(list) = root.list("target_groups") else {
        places.group_missing = root.entry("target_groups").is_some();
        return;
    };
    places.all_groups = list.at;
    for entry in list.entries {
        match Section::new(entry.node, entry.at, root.findings).and_then(target_group) {
            Some((group, place)) => {
                config.target_groups.push(group);
                places.groups.push(place);
            }
            None => places.group_missing = true,
        }
    }
}

fn listeners(root: &Section<'_>, config: &mut Config, places: &mut Places) {
    let Some(list) = root.list("listeners") else {
        return;
    };
    places.all_listeners = list.at;
    for entry in list.entries {
        let at = entry.at.clone();
        let read = Section::new(entry.node, entry.at, root.findings).and_then(listener);
        if let Some((listener, target_group)) = read {
            config.listeners.push(listener);
            places.listeners.push(ListenerPlaces { at, target_group });
        }
    }
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

fn target_group(section: Section<'_>) -> Option<(TargetGroup, GroupPlaces)> {
    let name = section.require("name", "name: web", values::name);
    let protocol = section.require("protocol", "protocol: tcp", values::protocol);
    let port = section.require("port", "port: 80", values::port);
    let forwarding = section.require("forwarding", "forwarding: ipip", values::mode);
    let port_at = section.entry("port").map(|entry| entry.at);
    let at = section.at.clone();
    let mut targets = Vec::new();
    let mut places = Vec::new();
    for entry in section.list("targets").map(|list| list.entries).unwrap_or_default() {
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
        GroupPlaces { at, port: port_at?, targets: places },
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
    let protocol = probe(&section);
    let port = section.read("port", values::check_port).flatten();
    let threshold = |key| section.read(key, |node| values::number(node, 1..=10));
    let healthy_threshold = threshold("healthy_threshold").unwrap_or(HEALTHY_THRESHOLD);
    let unhealthy_threshold = threshold("unhealthy_threshold").unwrap_or(UNHEALTHY_THRESHOLD);
    let (interval, timeout) = times(&section);
    section.finish();
    let protocol = protocol?;
    Some(HealthCheck { protocol, port, interval, timeout, healthy_threshold, unhealthy_threshold })
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

/// What a probe does; `None` when the protocol is wrong, since then nothing is known of the rest.
fn probe(section: &Section<'_>) -> Option<HealthProtocol> {
    let given = section.entry("protocol").is_some();
    let kind = section.read("protocol", values::probe);
    let path = section.read("path", values::http_path);
    let matcher = section.read("matcher", values::matcher);
    match kind {
        Some(ProbeKind::Http) => Some(HealthProtocol::Http {
            path: path.unwrap_or_else(|| "/".to_owned()),
            matcher: matcher.unwrap_or(Matcher(vec![(200, 399)])),
        }),
        None if given => None,
        Some(ProbeKind::Tcp) | None => {
            for key in ["path", "matcher"] {
                if let Some(entry) = section.entry(key) {
                    let message = "belongs to `protocol: http`; this check is tcp";
                    section.findings.error(&entry.at, message);
                }
            }
            Some(HealthProtocol::Tcp)
        }
    }
}

/// The deregistration delay; the other attributes have no effect yet but their defaults.
fn attributes(section: Section<'_>) -> Duration {
    let delay = section.read("deregistration_delay", |node| {
        values::duration(node, Duration::ZERO..=DEREGISTRATION_DELAY_MAX)
    });
    if delay.is_some()
        && let Some(entry) = section.entry("deregistration_delay")
    {
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
        _ => Err(values::wrong(node, "a stickiness: none")),
    });
    section.finish();
    delay.unwrap_or(DEREGISTRATION_DELAY)
}

fn listener(section: Section<'_>) -> Option<(Listener, At)> {
    let name = section.require("name", "name: web", values::name);
    let address = section.require("address", "address: 203.0.113.10", values::address);
    let port = section.require("port", "port: 80", values::listener_port);
    let protocol = section.require("protocol", "protocol: tcp", values::protocol);
    let target_group = default_action(&section);
    section.finish();
    let (target_group, at) = target_group?;
    let (name, address, port, protocol) = (name?, address?, port?, protocol?);
    Some((Listener { name, address, port, protocol, target_group }, at))
}

/// The target group that a listener forwards to, and where it is named.
fn default_action(listener: &Section<'_>) -> Option<(String, At)> {
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
