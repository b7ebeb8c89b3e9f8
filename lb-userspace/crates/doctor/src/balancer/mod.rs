//! PURE: the checks of a balancer.

mod agent;
mod attachment;
mod drops;
mod host;
mod mtu;
mod next_hops;
mod offloads;
mod queues;
mod rp_filter;
mod runs;
#[cfg(test)]
mod sound;

use super::{BalancerFacts, Finding};

/// Findings about a balancer: the host, its interfaces, its agent, the next hops of targets.
#[must_use]
pub fn balancer_findings(facts: &BalancerFacts) -> Vec<Finding> {
    let mut findings = host::check(&facts.host, facts.agent.is_ok());
    for interface in &facts.interfaces {
        findings.extend(attachment::check(interface, facts));
        findings.extend(runs::check(interface));
        findings.extend(offloads::check(interface));
        findings.extend(queues::check(interface, facts.host.cpus));
        findings.push(drops::ring(interface));
        findings.push(rp_filter::check(interface, facts));
    }
    findings.push(agent::check(&facts.agent));
    if let Ok(agent) = &facts.agent {
        findings.extend(agent::warnings(agent));
        findings.extend(next_hops::check(&agent.targets));
        findings.extend(mtu::check(&agent.targets));
        findings.extend(drops::data_path(&agent.drops));
    }
    findings
}
