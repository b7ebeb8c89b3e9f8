//! PURE: the checks of a target.

mod arp;
mod decapsulator;
mod facts;
mod listening;
mod mtu;
mod return_route;
mod rp_filter;
#[cfg(test)]
mod sound;
mod vip;

pub use facts::{LocalAddress, RouteToClients, TargetFacts, TunnelDevice};

use super::{Finding, Forwarding, link};

/// Findings about a target: its VIPs, arriving packets, listening servers, routes of answers.
#[must_use]
pub fn target_findings(facts: &TargetFacts) -> Vec<Finding> {
    let mode = facts.forwarding;
    let mut findings = vec![link::check(&facts.interface)];
    if mode.keeps_vip() {
        findings.extend(facts.vips.iter().map(|vip| vip::check(*vip, facts)));
    }
    if mode == Forwarding::L2dsr {
        findings.extend(arp::check(facts));
    }
    if mode.is_tunnel() {
        findings.push(decapsulator::check(facts));
    }
    if mode != Forwarding::Fullnat {
        findings.extend(rp_filter::check(facts));
        findings.extend(return_route::check(facts));
    }
    findings.extend(mtu::check(facts));
    findings.extend(listening::check(facts));
    findings
}
