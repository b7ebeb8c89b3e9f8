//! A virtual server: scheduler, forwarding, times, quorum, real servers.

use std::collections::HashMap;

use lb_common::target::Mode;
use lb_config::Protocol;

use super::{
    check::Times,
    real_server::{self, Defaults},
    tree::Node,
    vips,
};
use crate::{
    address,
    common_check::common_check,
    ledger::Ledger,
    remark::{Kind, brief},
    service::{Server, Service},
};

/// Keywords without a counterpart, and why.
const NO_COUNTERPART: &[(&str, &str)] = &[
    ("persistence_granularity", "the whole address of a client is hashed, not its network"),
    ("persistence_engine", "xelb looks at addresses and ports only"),
    ("quorum_up", "`xelb events -o json` and metrics tell of state changes"),
    ("quorum_down", "`xelb events -o json` and metrics tell of state changes"),
    ("hysteresis", "it belongs to the quorum"),
    ("sorry_server_inhibit", "it belongs to the sorry server"),
    ("sorry_server_lvs_method", "it belongs to the sorry server"),
    (
        "ha_suspend",
        "checks do not stop on a host without the VIP: every balancer checks for itself",
    ),
    ("alpha", "a new target is `initial` and takes no flow until its first check succeeds"),
    ("omega", "it is about scripts when keepalived ends"),
    ("smtp_alert", "metrics and alerts (deploy/) tell of targets that are down"),
    ("nat_mask", "it is obsolete"),
    ("net_mask", "it is obsolete"),
    ("hashed", "xelb always hashes"),
    ("bind_if", "health checks come from the address that the route of the host gives"),
];

/// Reads a virtual server.
pub(super) fn read(
    node: &Node,
    groups: &HashMap<&str, &Node>,
    ledger: &mut Ledger,
) -> Option<Service> {
    let protocol = match protocol(node) {
        Ok(protocol) => protocol,
        Err(message) => {
            ledger.remark(Kind::Dropped, node.lines(), message);
            return None;
        }
    };
    let mut endpoints = vips::endpoints(node, groups, ledger)?;
    if endpoints.is_empty() {
        ledger.remark(Kind::Dropped, node.lines(), "no address with a counterpart is left");
        return None;
    }
    let name = match node.word(1) {
        "group" => node.word(2).to_owned(),
        _ => format!("{protocol}-{}-{}", node.word(1), node.word(2)),
    };
    for endpoint in &mut endpoints {
        endpoint.name = format!("{protocol}-{}", endpoint.name);
        endpoint.lines.push(node.line);
    }
    let mut service = Service::new(name, Mode::L2dsr, node.line);
    service.protocol = protocol;
    service.endpoints = endpoints;
    service.span = (node.line, node.last);
    service.lines = node.frame().to_vec();
    let mut defaults = Defaults { weight: 1, mode: Mode::Nat, times: Times::default() };
    let mut servers = Vec::new();
    for child in &node.children {
        match child.word(0) {
            "real_server" => servers.push(child),
            _ => keyword(child, &mut service, &mut defaults, ledger),
        }
    }
    service.forwarding = defaults.mode;
    let mut checks = Vec::new();
    for server in servers {
        if let Some(check) = real_server::read(server, &mut service, &defaults, ledger) {
            checks.push(check);
        }
    }
    // The port of the group is that of the first server.
    service.servers.sort_by_key(|server| server.backup);
    service.check = common_check(checks, ledger);
    Some(service)
}

fn protocol(node: &Node) -> Result<Protocol, &'static str> {
    match node.child("protocol").map(|child| child.word(1).to_ascii_uppercase()).as_deref() {
        None | Some("TCP") => Ok(Protocol::Tcp),
        Some("UDP") => Ok(Protocol::Udp),
        Some("SCTP") => Err("protocol SCTP: listeners are TCP, UDP or QUIC"),
        Some(_) => Err("this protocol is not known; TCP, UDP and SCTP are"),
    }
}

fn keyword(node: &Node, service: &mut Service, defaults: &mut Defaults, ledger: &mut Ledger) {
    let (word, value, line) = (node.word(0), node.word(1), node.line);
    if defaults.times.read(node, ledger) {
        return;
    }
    match word {
        "protocol" | "ip_family" => service.lines.push(line),
        "lb_kind" | "lvs_method" => {
            service.lines.push(line);
            if let Some(mode) = mode(node, service, ledger) {
                defaults.mode = mode;
            }
        }
        "lb_algo" | "lvs_sched" => algorithm(node, service, ledger),
        "persistence_timeout" if value == "0" => service.lines.push(line),
        "persistence_timeout" => {
            service.is_sticky = true;
            ledger.changed(
                line,
                "persistence_timeout becomes `stickiness: source_ip`: it has no timeout, since the \
                 client's address is hashed and not remembered",
            );
        }
        "ops" => {
            service.is_stateless = true;
            service.lines.push(line);
        }
        "weight" => match value.parse() {
            Ok(weight) => defaults.weight = weight,
            Err(_) => ledger.hand(line, format!("`{}` is not a weight", brief(value))),
        },
        "virtualhost" => defaults.times.virtual_host = Some((value.to_owned(), line)),
        "inhibit_on_failure" => ledger.changed(line, real_server::INHIBIT),
        "quorum" => match value.parse() {
            Ok(quorum) => service.quorum = Some((quorum, line)),
            Err(_) => ledger.hand(line, format!("`{}` is not a quorum", brief(value))),
        },
        "sorry_server" => sorry_server(node, service, defaults, ledger),
        word if word.starts_with("flag-") || word.ends_with("-port") || word == "mh-fallback" => {
            ledger.dropped(line, "a flag of the scheduler");
        }
        _ => {
            if let Some((word, reason)) = NO_COUNTERPART.iter().find(|(known, _)| *known == word) {
                ledger.remark(Kind::Dropped, node.lines(), format!("{word}: {reason}"));
            } else {
                let message = format!("`{}` is not known in a virtual_server", brief(word));
                ledger.remark(Kind::Dropped, node.lines(), message);
            }
        }
    }
}

/// A sorry server is a backup target.
fn sorry_server(node: &Node, service: &mut Service, defaults: &Defaults, ledger: &mut Ledger) {
    let lines = || node.frame().to_vec();
    let port = match node.word(2) {
        "" => None,
        text => match address::port(text) {
            Ok(port) => Some(port),
            Err(message) => return ledger.hand(node.line, format!("sorry_server: {message}")),
        },
    };
    match address::server(node.word(1)) {
        Ok(address) => {
            let weight = defaults.weight;
            service.servers.push(Server { address, port, weight, backup: true, lines: lines() });
            ledger.remark(
                Kind::Changed,
                node.lines(),
                "sorry_server becomes a backup target: xelb checks it like the others, and uses it while \
                 no other target is healthy. For one that is reached in another way, see \
                 `sorry_target_group`",
            );
        }
        Err(message) => ledger.hand(node.line, format!("sorry_server: {message}")),
    }
}

/// The forwarding mode of `lb_kind`.
fn mode(node: &Node, service: &mut Service, ledger: &mut Ledger) -> Option<Mode> {
    let words: Vec<&str> = node.words.iter().map(String::as_str).collect();
    if let Some(at) = words.iter().position(|word| *word == "port")
        && let Some(text) = words.get(at + 1)
    {
        match address::port(text) {
            Ok(port) => service.gue_port = Some(port),
            Err(message) => ledger.hand(node.line, message),
        }
    }
    match node.word(1).to_ascii_uppercase().as_str() {
        "NAT" => Some(Mode::Nat),
        "DR" => Some(Mode::L2dsr),
        "TUN" if words.contains(&"gue") => Some(Mode::Gue),
        "TUN" if words.contains(&"gre") => {
            ledger.hand(node.line, "tunnels with GRE become ipip: targets need `xelb decap`");
            Some(Mode::Ipip)
        }
        "TUN" => Some(Mode::Ipip),
        // DPVS, a fork of keepalived for DPDK.
        "FNAT" => Some(Mode::Fullnat),
        other => {
            let message = format!("lb_kind `{}` is not NAT, DR or TUN; NAT is used", brief(other));
            ledger.hand(node.line, message);
            None
        }
    }
}

fn algorithm(node: &Node, service: &mut Service, ledger: &mut Ledger) {
    let name = node.word(1);
    if matches!(name, "sh" | "mh") {
        service.is_sticky = true;
    }
    let message = match name {
        "sh" | "mh" => {
            "lb_algo sh or mh hashes the client's address: this is `stickiness: source_ip`; clients \
             get another target at the change"
        }
        "rr" | "wrr" => {
            "lb_algo rr or wrr: xelb hashes each flow onto a ring with weights (Maglev); shares are \
             as even, the order is not"
        }
        _ => {
            "lb_algo: xelb hashes each flow onto a ring with weights (Maglev) and counts no \
             connections, so that long connections may be uneven"
        }
    };
    ledger.changed(node.line, message);
}
