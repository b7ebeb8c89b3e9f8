//! A target with which nothing is wrong, for the tests of the checks.

use std::net::IpAddr;

use lb_config::ListeningSocket;

use super::{LocalAddress, RouteToClients, TargetFacts, target_findings};
use crate::{Finding, Forwarding, InterfaceFacts, Setting, Severity, XdpFacts};

pub(super) const VIP_V4: &str = "203.0.113.10";
pub(super) const VIP_V6: &str = "2001:db8::10";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn local(text: &str, interface: &str) -> LocalAddress {
    LocalAddress {
        address: address(text),
        interface: interface.to_owned(),
        loopback: interface == "lo",
        tentative: false,
        dad_failed: false,
    }
}

/// The facts of a target with some forwarding mode, with a VIP of each family.
pub(super) fn facts(forwarding: Forwarding) -> TargetFacts {
    let route = |ipv6, gateway: &str| RouteToClients {
        ipv6,
        interface: "eth0".to_owned(),
        gateway: Some(address(gateway)),
        mtu: 1548,
        advmss: None,
    };
    TargetFacts {
        vips: vec![address(VIP_V4), address(VIP_V6)],
        forwarding,
        port: Some(80),
        balancer: Some(address("10.0.0.1")),
        interface: InterfaceFacts {
            name: "eth0".to_owned(),
            up: true,
            running: true,
            mtu: 1548,
            xdp: Some(XdpFacts { generic: false, program: Some("xelb_decap".to_owned()) }),
            ..InterfaceFacts::default()
        },
        arp_ignore: Setting { all: 1, own: 0 },
        arp_announce: Setting { all: 2, own: 0 },
        addresses: vec![
            local(VIP_V4, "lo"),
            local(VIP_V6, "lo"),
            local("10.0.0.11", "eth0"),
            local("fd00::11", "eth0"),
        ],
        tunnels: Vec::new(),
        listening: vec![ListeningSocket { protocol: "tcp", address: address("::"), port: 80 }],
        routes: vec![route(false, "10.0.0.1"), route(true, "fd00::1")],
    }
}

/// The findings of one check, of facts that were changed.
pub(super) fn all_found(
    check: &str,
    forwarding: Forwarding,
    change: impl FnOnce(&mut TargetFacts),
) -> Vec<Finding> {
    let mut facts = facts(forwarding);
    change(&mut facts);
    let mut findings = target_findings(&facts);
    findings.retain(|finding| finding.check == check);
    assert!(!findings.is_empty(), "{check}: nothing is said");
    findings
}

/// The worst of them.
pub(super) fn found(
    check: &str,
    forwarding: Forwarding,
    change: impl FnOnce(&mut TargetFacts),
) -> Finding {
    let findings = all_found(check, forwarding, change);
    findings.into_iter().max_by_key(|finding| finding.severity).unwrap()
}

#[test]
fn a_healthy_target_has_no_findings() {
    let dsr = ["link", "vip_local", "vip_local"];
    for (mode, own) in [
        (Forwarding::Ipip, &["decapsulator", "rp_filter"][..]),
        (Forwarding::Gue, &["decapsulator", "rp_filter"][..]),
        (Forwarding::L2dsr, &["arp_ignore", "arp_announce", "rp_filter"][..]),
        (Forwarding::Nat, &["rp_filter"][..]),
        (Forwarding::Fullnat, &[][..]),
    ] {
        let findings = target_findings(&facts(mode));
        for finding in &findings {
            assert_eq!(finding.severity, Severity::Ok, "{mode}: {finding:?}");
            assert_eq!(finding.remedy, None, "{mode}: {finding:?}");
        }
        let head = if mode.keeps_vip() { &dsr[..] } else { &dsr[..1] };
        let back =
            if mode == Forwarding::Fullnat { &[][..] } else { &["return_route", "return_route"] };
        let tail = if mode.keeps_vip() {
            &["mtu", "listening", "listening"][..]
        } else {
            &["mtu", "listening"]
        };
        let wanted = [head, own, back, tail].concat();
        let checks: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
        assert_eq!(checks, wanted, "{mode}");
    }
}
