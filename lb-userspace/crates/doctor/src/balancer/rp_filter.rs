//! Reverse path filtering. What the program forwards never meets it; answers to health checks, and
//! what passes to the stack, do.

use crate::{BalancerFacts, Finding, Forwarding, InterfaceFacts, sysctl};

const CHECK: &str = "rp_filter";
const STRICT: u32 = 1;

pub(super) fn check(interface: &InterfaceFacts, facts: &BalancerFacts) -> Finding {
    let name = &interface.name;
    if interface.rp_filter.effective() != STRICT {
        return Finding::ok(CHECK, name, "not strict");
    }
    let targets = facts.agent.as_ref().map(|agent| agent.targets.as_slice()).unwrap_or_default();
    let translated =
        targets.iter().any(|target| target.forwarding.is_some_and(Forwarding::is_translated));
    let elsewhere =
        targets.iter().any(|target| !target.interface.is_empty() && target.interface != *name);
    if !translated && !elsewhere {
        let message = "strict: no harm while this interface is the only one towards targets";
        return Finding::ok(CHECK, name, message);
    }
    let why = if translated {
        "answers of targets that are not balanced (fragments, ICMP) come back through this host"
    } else {
        "targets are reached by another interface"
    };
    Finding::warning(
        CHECK,
        name,
        format!(
            "strict (the larger of net.ipv4.conf.all and .{name}), and {why}: the kernel silently \
             drops answers that arrive by another interface than their route's, including those \
             to health checks"
        ),
        sysctl::command(name, CHECK, 2),
    )
}

#[cfg(test)]
mod tests {
    use super::super::sound::{agent_of, found};
    use crate::{
        Forwarding, Setting,
        Severity::{Ok, Warning},
    };

    #[test]
    fn strict_is_a_warning_if_packets_arrive_by_other_interfaces() {
        let strict = Setting { all: 1, own: 0 };
        let alone = found("rp_filter", |facts| facts.interfaces[0].rp_filter = strict);
        assert_eq!(alone.severity, Ok);
        let elsewhere = found("rp_filter", |facts| {
            facts.interfaces[0].rp_filter = strict;
            "eth1".clone_into(&mut agent_of(facts).targets[0].interface);
        });
        assert_eq!(elsewhere.severity, Warning);
        assert_eq!(elsewhere.remedy.unwrap(), "sysctl -w net.ipv4.conf.eth0.rp_filter=2");
        let translated = found("rp_filter", |facts| {
            facts.interfaces[0].rp_filter = strict;
            agent_of(facts).targets[0].forwarding = Some(Forwarding::Nat);
        });
        assert_eq!(translated.severity, Warning);
        let loose = found("rp_filter", |facts| {
            facts.interfaces[0].rp_filter = Setting { all: 1, own: 2 };
            "eth1".clone_into(&mut agent_of(facts).targets[0].interface);
        });
        assert_eq!(loose.severity, Ok);
    }
}
