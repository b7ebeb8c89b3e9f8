//! How answers leave: past the balancer, but for mode nat, where they must go through it.

use super::{TargetFacts, WayToClients, facts::family_name};
use crate::{Finding, Forwarding};

const CHECK: &str = "way_back";

pub(super) fn check(facts: &TargetFacts) -> Vec<Finding> {
    facts.families().map(|ipv6| of_family(ipv6, facts)).collect()
}

fn of_family(ipv6: bool, facts: &TargetFacts) -> Finding {
    let family = family_name(ipv6);
    let flag = if ipv6 { " -6" } else { "" };
    let Some(way) = facts.way(ipv6) else {
        return Finding::error(
            CHECK,
            family,
            "no default route: answers to clients cannot leave",
            format!("ip{flag} route add default via ROUTER"),
        );
    };
    let WayToClients { interface, gateway, .. } = way;
    let via = gateway.map_or_else(|| "no router".to_owned(), |gateway| gateway.to_string());
    let says = format!("answers leave by {interface} through {via}");
    let balancer = facts.balancer.filter(|balancer| balancer.is_ipv6() == ipv6);
    if facts.forwarding != Forwarding::Nat {
        return Finding::ok(CHECK, family, says);
    }
    match balancer {
        Some(balancer) if *gateway != Some(balancer) => Finding::error(
            CHECK,
            family,
            format!("{says}, not through the balancer: clients get answers from a stranger"),
            format!("ip{flag} route replace default via {balancer}"),
        ),
        None if facts.balancer.is_none() => Finding::warning(
            CHECK,
            family,
            format!("{says}; mode nat needs the balancer there"),
            "give the balancer's address, and it is compared: --balancer ADDRESS",
        ),
        _ => Finding::ok(CHECK, family, says),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sound::found, *};
    use crate::Severity::{Error, Warning};

    #[test]
    fn answers_need_a_way() {
        let finding = found(CHECK, Forwarding::Ipip, |facts| facts.ways.truncate(1));
        assert_eq!((finding.severity, finding.subject.as_str()), (Error, "IPv6"));
        assert_eq!(finding.remedy.as_deref(), Some("ip -6 route add default via ROUTER"));
    }

    #[test]
    fn nat_answers_go_through_the_balancer() {
        let other = Some("10.0.0.254".parse().unwrap());
        let finding = found(CHECK, Forwarding::Nat, |facts| facts.ways[0].gateway = other);
        assert_eq!(finding.severity, Error);
        assert_eq!(finding.remedy.as_deref(), Some("ip route replace default via 10.0.0.1"));
        let unknown = found(CHECK, Forwarding::Nat, |facts| facts.balancer = None);
        assert_eq!(unknown.severity, Warning);
    }
}
