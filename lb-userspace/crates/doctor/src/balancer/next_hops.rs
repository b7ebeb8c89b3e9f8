//! The next hops of targets.

use std::{collections::BTreeMap, net::IpAddr};

use lb_plan::NextHopState;

use crate::{
    Finding, Forwarding, TargetNextHop,
    alike::{Alike, alike},
};

const CHECK: &str = "next_hop";

pub(super) fn check(targets: &[TargetNextHop]) -> Vec<Finding> {
    let mut problems: BTreeMap<Problem, Vec<(&str, IpAddr, &str)>> = BTreeMap::new();
    for target in targets {
        if let Some((kind, why)) = problem(target) {
            problems.entry(kind).or_default().push((&target.name, target.address, why));
        }
    }
    if problems.is_empty() && !targets.is_empty() {
        let message = match targets.len() {
            1 => "the next hop of the only target is resolved".to_owned(),
            many => format!("the next hops of all {many} targets are resolved"),
        };
        return vec![Finding::ok(CHECK, "targets", message)];
    }
    let findings = problems.into_iter().flat_map(|(kind, targets)| {
        alike(targets.into_iter()).into_iter().map(move |one| finding(kind, &one))
    });
    findings.collect()
}

/// What keeps packets from a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    /// It has no next hop.
    Unresolved,
    /// Its mode cannot use it.
    Routed,
    /// The agent does not use it.
    Unused,
}

fn problem(target: &TargetNextHop) -> Option<(Problem, &str)> {
    match &target.next_hop {
        NextHopState::Asking(reason) | NextHopState::Unresolved(reason) => {
            Some((Problem::Unresolved, reason))
        }
        NextHopState::Resolved(hop)
            if target.forwarding == Some(Forwarding::L2dsr) && !hop.on_link =>
        {
            let why = "the target is behind a router: l2dsr changes only MAC addresses and needs the \
                       target on the same link";
            Some((Problem::Routed, why))
        }
        NextHopState::Resolved(_) if !target.unusable.is_empty() => {
            Some((Problem::Unused, &target.unusable))
        }
        NextHopState::Resolved(_) => None,
    }
}

fn finding(kind: Problem, found: &Alike) -> Finding {
    let Alike { names, problem, address, .. } = found;
    match kind {
        Problem::Unresolved => Finding::error(
            CHECK,
            names,
            problem,
            format!(
                "`ip route get {address}` and `ip neigh show {address}` show details; \
                 docs/next-hops.md has the remedy for each reason"
            ),
        ),
        Problem::Routed => Finding::error(
            CHECK,
            names,
            problem,
            "use `forwarding: ipip`, or connect balancer and target to the same link",
        ),
        Problem::Unused => Finding::warning(
            CHECK,
            names,
            format!(
                "the kernel has resolved the next hop, but the agent does not use it yet: {problem}"
            ),
            "run the command again in a minute; if the warning stays, see the log of the agent",
        ),
    }
}

#[cfg(test)]
mod tests {
    use lb_plan::NextHopState;

    use super::super::sound::{agent_of, found};
    use crate::{
        Forwarding,
        Severity::{Error, Warning},
    };

    #[test]
    fn an_unresolved_next_hop_is_an_error() {
        let finding = found("next_hop", |facts| {
            agent_of(facts).targets[0].next_hop = NextHopState::Unresolved("no route".to_owned());
        });
        assert_eq!((finding.severity, finding.message.as_str()), (Error, "no route"));
        assert_eq!(finding.subject, "web/10.0.1.11");
    }

    #[test]
    fn l2dsr_needs_the_link() {
        for (forwarding, wrong) in [(Forwarding::L2dsr, true), (Forwarding::Ipip, false)] {
            let finding = found("next_hop", |facts| {
                let target = &mut agent_of(facts).targets[0];
                target.forwarding = Some(forwarding);
                if let NextHopState::Resolved(hop) = &mut target.next_hop {
                    hop.on_link = false;
                }
            });
            assert_eq!(finding.severity == Error, wrong, "{finding:?}");
        }
    }

    #[test]
    fn an_agent_that_lags_is_a_warning() {
        let finding = found("next_hop", |facts| {
            "no route".clone_into(&mut agent_of(facts).targets[0].unusable);
        });
        assert_eq!(finding.severity, Warning);
    }
}
