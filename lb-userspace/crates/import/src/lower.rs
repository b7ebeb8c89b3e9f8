//! From services to groups and listeners: what the modes of xelb allow, and what has to be said.

use std::collections::BTreeSet;

use lb_common::target::Mode;
use lb_config::Protocol;

use crate::{
    address,
    document::{Document, Group, Listener, Target},
    duration, host,
    ledger::Ledger,
    names::Names,
    placeholders::Placeholders,
    remark::Kind,
    service::{Check, Endpoint, Found, Probe, Server, Service, Vip},
    settings::Settings,
    weights,
};

/// Shortest time that a listener remembers a silent TCP flow without saying so.
const IDLE_USUAL_S: u64 = 350;
const IDLE_MAX_S: u64 = 6000;

/// Makes the document.
pub(crate) fn lower(found: &Found, settings: &Settings, ledger: &mut Ledger) -> Document {
    let mut document = Document::default();
    host::interfaces(found, settings, &mut document, ledger);
    let mut names = (Names::default(), Names::default());
    let mut placeholders = Placeholders::new(found, settings);
    for service in &found.services {
        group(service, &mut document, &mut names, &mut placeholders, ledger);
    }
    host::sources(found, settings, &mut document, &mut placeholders, ledger);
    host::answers(&document, ledger);
    document
}

/// What endpoints of one group must have in common: the family and the ports, where the mode needs it.
type Key = (Option<bool>, Option<(u16, u16)>);

fn key(service: &Service, endpoint: &Endpoint) -> Key {
    let ports = (endpoint.first_port, endpoint.last_port);
    let needs_ports =
        keeps_ports(service.forwarding) || service.servers.iter().any(|one| one.port.is_none());
    let family = endpoint.address.is_ipv6();
    (same_family(service.forwarding).then_some(family), needs_ports.then_some(ports))
}

/// Whether a server may have the family that the endpoints need.
fn fits(key: Key, server: &Server) -> bool {
    let family = address::is_ipv6(&server.address);
    key.0.zip(family).is_none_or(|(wanted, family)| wanted == family)
}

const fn keeps_ports(mode: Mode) -> bool {
    matches!(mode, Mode::Ipip | Mode::Gue | Mode::L2dsr)
}

const fn same_family(mode: Mode) -> bool {
    matches!(mode, Mode::L2dsr | Mode::Nat | Mode::Fullnat)
}

/// One service: a group for each set of endpoints that can share one.
fn group(
    service: &Service,
    document: &mut Document,
    names: &mut (Names, Names),
    placeholders: &mut Placeholders,
    ledger: &mut Ledger,
) {
    let mut keys: Vec<Key> = Vec::new();
    for endpoint in &service.endpoints {
        let key = key(service, endpoint);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if service.endpoints.is_empty() {
        keys.push((None, None));
    }
    for server in &service.servers {
        if address::is_loopback(&server.address) {
            let message = "a server on the balancer itself (loopback): a target is another host";
            ledger.remark(Kind::Dropped, server.lines.iter().copied(), message);
            continue;
        }
        if !keys.iter().any(|key| fits(*key, server)) {
            let mode = service.forwarding.name();
            let message = format!(
                "{}: mode {mode} does not translate between IPv4 and IPv6; ipip and gue carry both",
                server.address
            );
            ledger.remark(Kind::Dropped, server.lines.iter().copied(), message);
        }
    }
    keys.retain(|key| {
        let has_server = service.servers.iter().any(|one| fits(*key, one));
        if !has_server && !service.servers.is_empty() {
            let endpoints = service.endpoints.iter().filter(|one| self::key(service, one) == *key);
            let message = format!(
                "no server has the address family of this listener: mode {} does not translate \
                 between IPv4 and IPv6; give the servers addresses of both, or use ipip",
                service.forwarding.name()
            );
            let lines = endpoints.filter_map(|endpoint| endpoint.lines.first().copied());
            ledger.remark(Kind::Hand, lines, message);
        }
        has_server || service.servers.is_empty()
    });
    let is_split = keys.len() > 1;
    for key in keys {
        let suffix = match key {
            (_, Some((first, last))) if is_split && first == last => format!("-{first}"),
            (_, Some((first, last))) if is_split => format!("-{first}-{last}"),
            _ => String::new(),
        };
        let name = names.0.take(&format!("{}{suffix}", service.name));
        let Some(made) = one_group(service, key, name, ledger) else { continue };
        for endpoint in service.endpoints.iter().filter(|one| self::key(service, one) == key) {
            let listener = listener(service, endpoint, &made.name, names, placeholders, ledger);
            document.listeners.push(listener);
        }
        document.groups.push(made);
    }
}

fn one_group(service: &Service, key: Key, name: String, ledger: &mut Ledger) -> Option<Group> {
    let mut servers: Vec<(&Server, u16)> = Vec::new();
    for server in &service.servers {
        if !fits(key, server) || address::is_loopback(&server.address) {
            continue;
        }
        if let Some(port) = target_port(service, server, key, ledger) {
            servers.push((server, port));
        }
    }
    let listened = key.1.map(|(first, _)| first);
    let port = servers
        .first()
        .map(|(_, port)| *port)
        .or(listened)
        .or_else(|| service.endpoints.first().map(|endpoint| endpoint.first_port));
    let Some(port) = port else {
        let message = format!("{name}: no server is left, and no port is known");
        ledger.remark(Kind::Dropped, service.lines.iter().copied(), message);
        return None;
    };
    if servers.is_empty() {
        let message =
            format!("group {name} has no target: its packets are dropped until you add one");
        ledger.remark(Kind::Hand, service.lines.iter().copied(), message);
    }
    let given: Vec<u32> = servers.iter().map(|(server, _)| server.weight).collect();
    let (weights, said) = weights::scaled(&given);
    if let Some(said) = said {
        let lines = servers.iter().flat_map(|(server, _)| server.lines.iter().copied());
        ledger.remark(Kind::Changed, lines, said);
    }
    let target = |((server, port), weight): (&(&Server, u16), Option<u32>)| Target {
        address: server.address.clone(),
        port: *port,
        weight,
        backup: server.backup,
        lines: server.lines.clone(),
    };
    Some(Group {
        port,
        protocol: service.protocol,
        forwarding: service.forwarding,
        targets: servers.iter().zip(weights).map(target).collect(),
        check: check(service, &name, ledger),
        attributes: attributes(service, ledger),
        span: service.span,
        lines: service.lines.clone(),
        name,
    })
}

/// The port of a target; `None` when there is none.
fn target_port(service: &Service, server: &Server, key: Key, ledger: &mut Ledger) -> Option<u16> {
    let mode = service.forwarding.name();
    let Some((first, last)) = key.1 else { return server.port };
    let lines = || server.lines.iter().copied();
    match server.port {
        Some(port) if !keeps_ports(service.forwarding) => Some(port),
        Some(port) if (first..=last).contains(&port) => Some(port),
        Some(port) => {
            let message = format!(
                "port {port} of the server becomes {first}: mode {mode} keeps the port that \
                 clients use"
            );
            ledger.remark(Kind::Changed, lines(), message);
            Some(first)
        }
        None if first == last || keeps_ports(service.forwarding) => Some(first),
        None => {
            let message = format!(
                "each port from {first} to {last} to the same port of the server: mode {mode} sends \
                 all ports of a listener to one port; ipip and l2dsr keep ports"
            );
            ledger.remark(Kind::Dropped, lines(), message);
            None
        }
    }
}

/// The health check, within the bounds of xelb. UDP must have one.
fn check(service: &Service, name: &str, ledger: &mut Ledger) -> Option<Check> {
    let Some(mut check) = service.check.clone() else {
        if service.protocol == Protocol::Tcp {
            return None;
        }
        let message = format!(
            "group {name} is checked with pings, since the input names no check; they say nothing \
             about the service: docs/health-checks.md has better ones"
        );
        ledger.remark(Kind::Hand, service.lines.iter().copied(), message);
        return Some(Check::ping());
    };
    let lines = check.lines.clone();
    let mut bound = |value: &mut u64, low: u64, high: u64, what: &str, is_time: bool| {
        let bounded = (*value).clamp(low, high.max(low));
        if bounded != *value {
            let shown =
                |value: u64| if is_time { duration::shown(value) } else { value.to_string() };
            let message = format!("{what} {} becomes {}", shown(*value), shown(bounded));
            ledger.remark(Kind::Changed, lines.iter().copied(), message);
            *value = bounded;
        }
    };
    bound(&mut check.interval_ms, 100, 300_000, "health check: interval", true);
    bound(&mut check.timeout_ms, 10, check.interval_ms, "health check: timeout", true);
    bound(&mut check.healthy, 1, 10, "healthy_threshold", false);
    bound(&mut check.unhealthy, 1, 10, "unhealthy_threshold", false);
    if check.probe == Probe::Icmp {
        check.port = None;
    }
    Some(check)
}

fn attributes(service: &Service, ledger: &mut Ledger) -> Vec<(&'static str, String)> {
    let mut attributes = Vec::new();
    if service.is_sticky {
        attributes.push(("stickiness", "source_ip".to_owned()));
    }
    attributes.extend(quorum(service, ledger));
    if let Some(seconds) = service.slow_start_s.filter(|seconds| *seconds > 0) {
        let bounded = seconds.clamp(30, 900);
        if bounded != seconds {
            let message = format!("slow start of {seconds}s becomes {bounded}s");
            ledger.remark(Kind::Changed, service.lines.iter().copied(), message);
        }
        attributes.push(("slow_start", format!("{bounded}s")));
    }
    if service.forwarding == Mode::Gue {
        if let Some(port) = service.gue_port {
            attributes.push(("gue_port", port.to_string()));
        }
        attributes.push(("gue_variant", "0".to_owned()));
    }
    attributes
}

/// What becomes of a quorum. keepalived adds up weights, xelb counts targets.
fn quorum(service: &Service, ledger: &mut Ledger) -> Option<(&'static str, String)> {
    let (sum, line) = service.quorum.filter(|(sum, _)| *sum > 1)?;
    let weights: BTreeSet<u32> =
        service.servers.iter().filter(|server| !server.backup).map(|one| one.weight).collect();
    let count = match weights.first() {
        Some(weight) if weights.len() == 1 && *weight > 0 => sum.div_ceil(*weight),
        _ => {
            let message = format!(
                "quorum {sum} is a sum of weights: set `quorum` (or `backup_threshold`, with a sorry \
                 server) to a number of healthy targets"
            );
            ledger.hand(line, message);
            return None;
        }
    };
    let (key, message) = if service.servers.iter().any(|server| server.backup) {
        let message = "quorum: below it, keepalived sends all flows to the sorry server; with \
                       `backup_threshold`, xelb uses the backup target in addition to healthy ones";
        ("backup_threshold", message)
    } else {
        let message = "quorum: a number of healthy targets here, not a sum of weights. It is not \
                       `minimum_healthy_targets`, which does the opposite: below that, xelb uses \
                       unhealthy targets as well";
        ("quorum", message)
    };
    ledger.changed(line, message);
    Some((key, count.to_string()))
}

fn listener(
    service: &Service,
    endpoint: &Endpoint,
    group: &str,
    names: &mut (Names, Names),
    placeholders: &mut Placeholders,
    ledger: &mut Ledger,
) -> Listener {
    let name = names.1.take(&endpoint.name);
    let address = match endpoint.address {
        Vip::Address(address) => address,
        Vip::Any { ipv6 } => {
            let (address, is_given) = placeholders.any(ipv6);
            let message = if is_given {
                format!("any address of the host becomes {address}: a listener has one VIP")
            } else {
                format!(
                    "{address} is a placeholder for \"any address of the host\": a listener needs \
                     its VIP; give --address, or correct it"
                )
            };
            let kind = if is_given { Kind::Changed } else { Kind::Hand };
            ledger.remark(kind, endpoint.lines.first().copied(), message);
            address
        }
    };
    let mut attributes = Vec::new();
    if let Some(seconds) = endpoint.idle_s.filter(|seconds| *seconds > IDLE_USUAL_S) {
        attributes.push(("idle_timeout", format!("{}s", seconds.min(IDLE_MAX_S))));
        if seconds > IDLE_MAX_S {
            let message = format!(
                "silent connections may live {seconds}s; xelb remembers them for {IDLE_MAX_S}s at \
                 most: let clients or servers use keepalives"
            );
            ledger.remark(Kind::Changed, endpoint.lines.iter().copied(), message);
        }
    }
    if service.is_stateless && service.protocol == Protocol::Udp {
        attributes.push(("udp_flows", "stateless".to_owned()));
    }
    Listener {
        name,
        address,
        ports: (endpoint.first_port, endpoint.last_port),
        protocol: service.protocol,
        group: group.to_owned(),
        attributes,
        span: endpoint.span,
        lines: endpoint.lines.clone(),
    }
}
