//! The next hops of targets.

use lb_plan::NextHopState;

use crate::{Finding, Forwarding, TargetWay};

const CHECK: &str = "next_hop";

pub(super) fn check(targets: &[TargetWay]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = targets.iter().filter_map(trouble).collect();
    if findings.is_empty() && !targets.is_empty() {
        let message = match targets.len() {
            1 => "the next hop of the only target is resolved".to_owned(),
            many => format!("the next hops of all {many} targets are resolved"),
        };
        findings.push(Finding::ok(CHECK, "targets", message));
    }
    findings
}

fn trouble(target: &TargetWay) -> Option<Finding> {
    let TargetWay { name, address, .. } = target;
    match &target.next_hop {
        NextHopState::Asking(reason) | NextHopState::Unresolved(reason) => Some(Finding::error(
            CHECK,
            name,
            reason,
            format!(
                "`ip route get {address}` and `ip neigh show {address}` say more; docs/next-hops.md \
                 has what to do for each reason"
            ),
        )),
        NextHopState::Resolved(hop)
            if target.forwarding == Some(Forwarding::L2dsr) && !hop.on_link =>
        {
            Some(Finding::error(
                CHECK,
                name,
                "the target is behind a router: l2dsr changes MAC addresses only and needs it on \
                 the same link",
                "use `forwarding: ipip`, or put balancer and target on one link",
            ))
        }
        NextHopState::Resolved(_) if !target.unusable.is_empty() => Some(Finding::warning(
            CHECK,
            name,
            format!(
                "the kernel knows the way now, the agent does not use it yet: {}",
                target.unusable
            ),
            "look again in a minute; if it stays, look at the log of the agent",
        )),
        NextHopState::Resolved(_) => None,
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
