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
mod targets;

use lb_plan::warning::WarningKind;

use super::{BalancerFacts, Finding, Severity};

/// The agent's warning of groups with targets that cannot be reached.
const UNRESOLVED: &str = WarningKind::NextHopUnresolved.name();

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
        let next_hops = next_hops::check(&agent.targets);
        // They have the reason of each target; the agent's warning says the same of their group.
        let is_found = next_hops.iter().any(|finding| finding.severity == Severity::Error);
        let warnings = agent::warnings(agent);
        findings.extend(warnings.filter(|one| !(is_found && one.check == UNRESOLVED)));
        findings.extend(targets::check(agent));
        findings.extend(next_hops);
        findings.extend(mtu::check(&agent.targets));
        findings.extend(drops::data_path(&agent.drops));
    }
    findings
}
