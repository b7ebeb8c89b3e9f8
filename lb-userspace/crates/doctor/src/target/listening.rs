//! Whether something takes what clients send to the port.

use std::net::IpAddr;

use lb_config::ListeningSocket;

use super::TargetFacts;
use crate::Finding;

const CHECK: &str = "listening";

pub(super) fn check(facts: &TargetFacts) -> Vec<Finding> {
    let Some(port) = facts.port else { return Vec::new() };
    if facts.forwarding.keeps_vip() {
        return facts.vips.iter().map(|vip| at(&[*vip], port, facts)).collect();
    }
    // Packets arrive for an address of the host itself.
    let own: Vec<IpAddr> = facts
        .addresses
        .iter()
        .filter(|local| local.interface == facts.interface.name)
        .map(|local| local.address)
        .collect();
    vec![at(&own, port, facts)]
}

/// Whether something listens at any of these addresses.
fn at(addresses: &[IpAddr], port: u16, facts: &TargetFacts) -> Finding {
    let on_port: Vec<&ListeningSocket> =
        facts.listening.iter().filter(|socket| socket.port == port).collect();
    let subject = match addresses {
        [one] => one.to_string(),
        _ => facts.interface.name.clone(),
    };
    let takes = |socket: &&&ListeningSocket| addresses.iter().any(|to| socket.accepts(*to));
    let mut protocols: Vec<&str> =
        on_port.iter().filter(takes).map(|socket| socket.protocol).collect();
    protocols.sort_unstable();
    protocols.dedup();
    if !protocols.is_empty() {
        let message = format!("port {port}: {}", protocols.join(" and "));
        return Finding::ok(CHECK, subject, message);
    }
    let wildcard = if addresses.iter().all(IpAddr::is_ipv6) { "[::]" } else { "0.0.0.0" };
    if on_port.is_empty() {
        let message = format!("nothing listens at port {port}, neither TCP nor UDP");
        let remedy =
            format!("start the server; it has to listen at {wildcard}:{port} or at {subject}");
        return Finding::error(CHECK, subject, message, remedy);
    }
    let mut elsewhere: Vec<String> =
        on_port.iter().map(|socket| socket.address.to_string()).collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    Finding::error(
        CHECK,
        &subject,
        format!("port {port} is served at {} only", elsewhere.join(", ")),
        format!("let the server listen at {wildcard}:{port} or at {subject}, too"),
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::sound::{VIP_V4, VIP_V6, all_found, found},
        *,
    };
    use crate::{
        Forwarding,
        Severity::{Error, Ok},
    };

    fn at_addresses(mode: Forwarding, bound: &[&str]) -> Vec<(String, bool)> {
        let findings = all_found(CHECK, mode, |facts| {
            let socket = |text: &&str| ListeningSocket {
                protocol: "udp",
                address: text.parse().unwrap(),
                port: 80,
            };
            facts.listening = bound.iter().map(socket).collect();
        });
        findings.into_iter().map(|finding| (finding.subject, finding.severity == Ok)).collect()
    }

    #[test]
    fn the_vip_must_be_served() {
        let of = |v4, v6| vec![(VIP_V4.to_owned(), v4), (VIP_V6.to_owned(), v6)];
        for (bound, v4, v6) in [
            (&["::"][..], true, true),
            (&["0.0.0.0"], true, false),
            (&[VIP_V4, VIP_V6], true, true),
            (&["10.0.0.11"], false, false),
            (&[], false, false),
        ] {
            assert_eq!(at_addresses(Forwarding::Ipip, bound), of(v4, v6), "{bound:?}");
        }
    }

    #[test]
    fn translated_packets_are_for_the_hosts_own_address() {
        for (bound, wanted) in [("10.0.0.11", true), ("0.0.0.0", true), ("127.0.0.1", false)] {
            let seen = at_addresses(Forwarding::Nat, &[bound]);
            assert_eq!(seen, [("eth0".to_owned(), wanted)], "{bound}");
        }
    }

    #[test]
    fn the_message_says_where_it_is_served() {
        let finding = found(CHECK, Forwarding::Ipip, |facts| {
            facts.listening[0].address = "10.0.0.11".parse().unwrap();
        });
        assert_eq!(finding.severity, Error);
        assert_eq!(finding.message, "port 80 is served at 10.0.0.11 only");
        let nobody = found(CHECK, Forwarding::Ipip, |facts| facts.listening[0].port = 81);
        assert!(nobody.message.starts_with("nothing listens at port 80"), "{nobody:?}");
    }
}
