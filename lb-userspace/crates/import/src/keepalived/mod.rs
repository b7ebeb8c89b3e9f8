//! keepalived.conf: virtual servers, their groups, real servers and checkers. VRRP stays with keepalived.

mod check;
mod datagram;
mod real_server;
mod tree;
mod vips;
mod virtual_server;

use std::collections::HashMap;

use crate::{
    error::ImportError,
    ledger::Ledger,
    remark::{Kind, brief},
    service::Found,
};
use tree::Node;

/// Reads a file.
pub(crate) fn read(text: &str, ledger: &mut Ledger) -> Result<Found, ImportError> {
    let nodes = tree::parse(text)?;
    let mut found = Found::default();
    let groups: HashMap<&str, &Node> = nodes
        .iter()
        .filter(|node| node.word(0) == "virtual_server_group")
        .map(|node| (node.word(1), node))
        .collect();
    let mut is_known = false;
    for node in &nodes {
        is_known |= top(node, &groups, &mut found, ledger);
    }
    if is_known {
        Ok(found)
    } else {
        Err(ImportError::Nothing {
            wanted: "no block of keepalived (virtual_server, vrrp_instance, global_defs, ...)",
            format: "keepalived (keepalived.conf)",
        })
    }
}

/// One block or line outside of all blocks; false when it is none of keepalived.
fn top(node: &Node, groups: &HashMap<&str, &Node>, found: &mut Found, ledger: &mut Ledger) -> bool {
    let vrrp = "VRRP stays with keepalived: it moves addresses between hosts; xelb balances what \
                arrives";
    let message = match node.word(0) {
        "virtual_server" => {
            found.services.extend(virtual_server::read(node, groups, ledger));
            return true;
        }
        // Its lines belong to the virtual servers that name it.
        "virtual_server_group" => return true,
        "vrrp_instance" => {
            for interface in node.children.iter().filter(|child| child.word(0) == "interface") {
                found.interfaces.push((interface.word(1).to_owned(), interface.line));
            }
            vrrp
        }
        word if word.starts_with("vrrp_") => vrrp,
        "global_defs" => "global_defs are about keepalived itself (mail, router_id, VRRP, SNMP)",
        "static_ipaddress" | "static_routes" | "static_rules" | "static_address" => {
            "static addresses, routes and rules belong to the network configuration of the host"
        }
        word if word.starts_with("track_") || word.starts_with("bfd_") => {
            "trackers of interfaces, files, processes and BFD sessions belong to VRRP"
        }
        "garp_group" | "linkbeat_use_polling" | "interface_up_down_delays" | "net_namespace" => {
            "this is about VRRP and the process of keepalived"
        }
        "include" | "includer" | "includem" | "includew" | "includeb" | "includea" => {
            ledger.hand(node.line, "include: the included file is not read; import it as well");
            return true;
        }
        word if word.starts_with(['@', '$', '~']) => {
            ledger.hand(
                node.line,
                "conditions (@NAME), variables ($NAME=) and sequences are not resolved; give the file \
                 as it is on this host",
            );
            return true;
        }
        word => {
            let message = format!("`{}` is not known in keepalived.conf", brief(word));
            ledger.remark(Kind::Dropped, node.lines(), message);
            return false;
        }
    };
    ledger.remark(Kind::Dropped, node.lines(), message);
    true
}
