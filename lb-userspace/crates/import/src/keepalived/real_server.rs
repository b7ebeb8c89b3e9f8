//! A real server of a virtual server: address, port, weight, checkers.

use lb_common::target::Mode;
use lb_config::TargetAddress;

use super::{
    check::{self, Times},
    tree::Node,
};
use crate::{
    address,
    ledger::Ledger,
    remark::{Kind, brief},
    service::{Check, Server, Service},
};

/// What a failed server of keepalived keeps.
pub(super) const INHIBIT: &str = "inhibit_on_failure: connections of a failed server move to another \
                                  one; they stay with `attributes: { unhealthy_draining_interval: \
                                  3600s }`";

/// What the virtual server says for all.
#[derive(Debug)]
pub(super) struct Defaults {
    pub(super) weight: u32,
    pub(super) mode: Mode,
    pub(super) times: Times,
}

/// Adds a real server; its health check if it has one.
pub(super) fn read(
    node: &Node,
    service: &mut Service,
    defaults: &Defaults,
    ledger: &mut Ledger,
) -> Option<Check> {
    let (address, port) = place(node, ledger)?;
    let mut server = Server {
        address,
        port,
        weight: defaults.weight,
        backup: false,
        lines: node.frame().to_vec(),
    };
    let mut times = defaults.times.clone();
    let mut checkers = Vec::new();
    for child in &node.children {
        if times.read(child, ledger) {
            continue;
        }
        match child.word(0) {
            "weight" => {
                if let Ok(weight) = child.word(1).parse() {
                    server.weight = weight;
                    server.lines.push(child.line);
                } else {
                    let message = format!("`{}` is not a weight", brief(child.word(1)));
                    ledger.hand(child.line, message);
                }
            }
            "inhibit_on_failure" => ledger.changed(child.line, INHIBIT),
            "lvs_method" | "lb_kind" => ledger.hand(
                child.line,
                "lvs_method of one server: a target group has one mode, that of the virtual_server",
            ),
            "virtualhost" => {
                times.virtual_host = Some((child.word(1).to_owned(), child.line));
            }
            "notify_up" | "notify_down" => ledger.remark(
                Kind::Dropped,
                child.lines(),
                "scripts at a change of state: `xelb events -o json` and metrics tell of it",
            ),
            "uthreshold" | "lthreshold" => {
                ledger.dropped(child.line, "limits of connections: xelb counts none for a target");
            }
            "alpha" | "smtp_alert" | "snmp_name" => {
                ledger.dropped(child.line, "it is about alerts, names or the state at the start");
            }
            word if check::is_checker(word) => checkers.push(child),
            word => {
                let message = format!("`{}` is not known in a real_server", brief(word));
                ledger.remark(Kind::Dropped, child.lines(), message);
            }
        }
    }
    if server.weight == 0 {
        let line = server.lines.last().copied().unwrap_or(node.line);
        ledger.changed(line, "weight 0: the target takes no new flows");
    }
    service.servers.push(server);
    checks(node, &checkers, service, &times, ledger)
}

/// Where it is; a name is remarked on.
fn place(node: &Node, ledger: &mut Ledger) -> Option<(TargetAddress, Option<u16>)> {
    let place = address::server(node.word(1)).and_then(|address| match node.word(2) {
        "" | "0" => Ok((address, None)),
        text => Ok((address, Some(address::port(text)?))),
    });
    match &place {
        Ok((TargetAddress::Name(name), _)) => {
            let message = format!(
                "{name} is a name: keepalived resolves it at the start; xelb again whenever its time to live \
                 is over, and all its addresses become targets"
            );
            ledger.remark(Kind::Changed, node.lines(), message);
        }
        Ok(_) => {}
        Err(message) => ledger.remark(Kind::Hand, node.lines(), message.clone()),
    }
    place.ok()
}

/// The first checker that has a counterpart; the others are told.
fn checks(
    node: &Node,
    checkers: &[&Node],
    service: &Service,
    times: &Times,
    ledger: &mut Ledger,
) -> Option<Check> {
    if checkers.is_empty() {
        ledger.changed(
            node.line,
            "a real_server without a checker: keepalived never takes it out; xelb checks every target",
        );
    }
    let mut check: Option<Check> = None;
    for checker in checkers {
        if check.is_some() {
            let message = "a second checker of this server: a target group has one check";
            ledger.remark(Kind::Hand, checker.lines(), message);
        } else {
            check = check::read(checker, service.protocol, times, ledger);
        }
    }
    check
}
