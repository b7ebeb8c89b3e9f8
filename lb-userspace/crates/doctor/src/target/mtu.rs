//! Whether full packets of clients still fit the interface when the balancer has put an outer
//! header before them. How large they are, the MSS tells that this host announces.

use super::{TargetFacts, facts::family_name};
use crate::{CLIENT_PACKET, Finding};

const CHECK: &str = "mtu";

/// What does not fit: the family of the clients, and the numbers.
struct Excess {
    ipv6: bool,
    packet: u32,
    outer: &'static str,
    overhead: u32,
}

pub(super) fn check(facts: &TargetFacts) -> Option<Finding> {
    let interface = &facts.interface;
    let outers: Vec<_> = facts
        .addresses
        .iter()
        .filter(|local| local.interface == interface.name && !is_link_local(local.address))
        .map(|local| local.address)
        .collect();
    let excess = facts.families().find_map(|ipv6| {
        let packet = largest_packet(ipv6, facts)?;
        // The worst outer header that the balancer could use.
        let outer = outers.iter().max_by_key(|address| facts.forwarding.overhead(**address))?;
        let overhead = facts.forwarding.overhead(*outer);
        let outer = family_name(outer.is_ipv6());
        (packet + overhead > interface.mtu).then_some(Excess { ipv6, packet, outer, overhead })
    });
    if outers.is_empty() {
        return None;
    }
    let name = &interface.name;
    let Some(excess) = excess else {
        let message = format!(
            "MTU {} is large enough for full packets in mode {}",
            interface.mtu, facts.forwarding
        );
        return Some(Finding::ok(CHECK, name, message));
    };
    Some(finding(&excess, facts, outers.iter().any(std::net::IpAddr::is_ipv4)))
}

fn finding(excess: &Excess, facts: &TargetFacts, has_ipv4: bool) -> Finding {
    let Excess { ipv6, packet, outer, overhead } = *excess;
    let (name, mtu) = (&facts.interface.name, facts.interface.mtu);
    let headers = headers(ipv6);
    let message = format!(
        "MTU {mtu} is too small: {} clients send packets of up to {packet} bytes (by the MSS that \
         this host announces), and mode {} adds up to {overhead} bytes before them ({outer}): \
         packets larger than {} bytes are lost",
        family_name(ipv6),
        facts.forwarding,
        mtu.saturating_sub(overhead)
    );
    let route = facts.route(ipv6);
    let router =
        route.and_then(|route| route.gateway).map_or("ROUTER".to_owned(), |ip| ip.to_string());
    let remedy = format!(
        "ip link set dev {name} mtu {}, also on the balancer and on switches in between; or make \
         clients send smaller packets: ip{} route change default via {router} dev {} advmss {}",
        packet + overhead,
        if ipv6 { " -6" } else { "" },
        route.map_or(name.as_str(), |route| route.interface.as_str()),
        mtu.saturating_sub(overhead + headers),
    );
    // With an address of either family, it is the balancer's choice which header it puts.
    let smaller = facts.forwarding.overhead([0, 0, 0, 0].into());
    if has_ipv4 && packet + smaller <= mtu {
        return Finding::warning(CHECK, name, message, remedy);
    }
    Finding::error(CHECK, name, message, remedy)
}

/// The largest packet that a client sends: as large as its own network takes, and no larger than
/// the announced MSS allows.
fn largest_packet(ipv6: bool, facts: &TargetFacts) -> Option<u32> {
    let route = facts.route(ipv6)?;
    let announced = route.advmss.map_or(route.mtu, |mss| (mss + headers(ipv6)).min(route.mtu));
    Some(announced.min(CLIENT_PACKET))
}

/// Bytes of the IP and TCP headers around a segment.
const fn headers(ipv6: bool) -> u32 {
    if ipv6 { 60 } else { 40 }
}

fn is_link_local(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(_) => false,
        std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sound::found, *};
    use crate::{
        Forwarding,
        Severity::{Error, Ok, Warning},
    };

    fn with_mtu(mode: Forwarding, mtu: u32, advmss: Option<u32>) -> Finding {
        found(CHECK, mode, |facts| {
            facts.vips.truncate(1);
            facts.interface.mtu = mtu;
            facts.routes[0].mtu = mtu;
            facts.routes[0].advmss = advmss;
        })
    }

    #[test]
    fn a_small_mtu_for_outer_headers_is_found() {
        for (mode, mtu, severity) in [
            (Forwarding::Ipip, 1540, Ok),
            (Forwarding::Ipip, 1520, Warning),
            (Forwarding::Ipip, 1519, Error),
            (Forwarding::Gue, 1548, Ok),
            (Forwarding::Gue, 1528, Warning),
            (Forwarding::Gue, 1500, Error),
            (Forwarding::L2dsr, 1500, Ok),
            (Forwarding::Nat, 1400, Ok),
        ] {
            let finding = with_mtu(mode, mtu, None);
            assert_eq!(finding.severity, severity, "{mode} {mtu}: {finding:?}");
        }
    }

    #[test]
    fn a_small_announced_mss_leaves_space_for_headers() {
        let wrong = with_mtu(Forwarding::Ipip, 1500, None);
        assert_eq!(wrong.severity, Error);
        let remedy = wrong.remedy.unwrap();
        assert!(remedy.contains("dev eth0 mtu 1540"), "{remedy}");
        assert!(remedy.ends_with("via 10.0.0.1 dev eth0 advmss 1420"), "{remedy}");
        assert_eq!(with_mtu(Forwarding::Ipip, 1500, Some(1420)).severity, Ok);
        assert_eq!(with_mtu(Forwarding::Ipip, 1500, Some(1421)).severity, Warning);
    }

    #[test]
    fn only_ipv4_needs_less() {
        let finding = found(CHECK, Forwarding::Ipip, |facts| {
            facts.interface.mtu = 1520;
            facts.addresses.retain(|local| local.address.is_ipv4());
        });
        assert_eq!(finding.severity, Ok);
    }
}
