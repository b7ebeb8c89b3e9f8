//! How answers leave: past the balancer, except for mode nat, where they must go through it.

use super::{RouteToClients, TargetFacts, facts::family_name};
use crate::{Finding, Forwarding};

const CHECK: &str = "return_route";

pub(super) fn check(facts: &TargetFacts) -> Vec<Finding> {
    facts.families().map(|ipv6| of_family(ipv6, facts)).collect()
}

fn of_family(ipv6: bool, facts: &TargetFacts) -> Finding {
    let family = family_name(ipv6);
    let flag = if ipv6 { " -6" } else { "" };
    let Some(route) = facts.route(ipv6) else {
        return Finding::error(
            CHECK,
            family,
            "no default route: answers to clients cannot be sent",
            format!("ip{flag} route add default via ROUTER"),
        );
    };
    let RouteToClients { interface, gateway, .. } = route;
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
            format!(
                "{says}, not through the balancer: clients get answers from an unknown \
                     address"
            ),
            format!("ip{flag} route replace default via {balancer}"),
        ),
        None if facts.balancer.is_none() => Finding::warning(
            CHECK,
            family,
            format!("{says}; with mode nat, this must be the balancer"),
            "to check it, add --balancer ADDRESS",
        ),
        _ => Finding::ok(CHECK, family, says),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sound::found, *};
    use crate::Severity::{Error, Warning};

    #[test]
    fn answers_need_a_default_route() {
        let finding = found(CHECK, Forwarding::Ipip, |facts| facts.routes.truncate(1));
        assert_eq!((finding.severity, finding.subject.as_str()), (Error, "IPv6"));
        assert_eq!(finding.remedy.as_deref(), Some("ip -6 route add default via ROUTER"));
    }

    #[test]
    fn nat_answers_go_through_the_balancer() {
        let other = Some("10.0.0.254".parse().unwrap());
        let finding = found(CHECK, Forwarding::Nat, |facts| facts.routes[0].gateway = other);
        assert_eq!(finding.severity, Error);
        assert_eq!(finding.remedy.as_deref(), Some("ip route replace default via 10.0.0.1"));
        let unknown = found(CHECK, Forwarding::Nat, |facts| facts.balancer = None);
        assert_eq!(unknown.severity, Warning);
    }
}
