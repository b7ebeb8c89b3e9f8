//! Who is in a group's ring, what state each target is shown in, and what people must be told.

use lb_common::{Mode, target::TargetState};

use super::Inputs;
use crate::{
    config::{Target, TargetGroup, TargetKey},
    health::Reason,
    next_hop::{NextHop, NextHopState},
};

/// Targets that a warning names one by one.
const NAMED_MAX: usize = 3;

/// What is to be said of one target.
pub(super) struct Verdict<'inputs> {
    pub(super) state: TargetState,
    pub(super) reason: Option<Reason>,
    pub(super) detail: String,
    /// Its next hop, when it has one that its mode can use.
    pub(super) hop: Option<&'inputs NextHop>,
    /// Whether it may take traffic.
    pub(super) candidate: Candidate,
}

/// Whether a target may take traffic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// It is in service.
    InService,
    /// It fails its health checks: only when nobody is in service.
    FailOpen,
    /// It waits for its first health check.
    Initial,
    /// It is drained, or no listener uses its group.
    Out,
    /// It has weight 0.
    Weightless,
    /// Packets cannot reach it.
    Unreachable,
}

/// Judges one target of a group that listeners use, or do not use.
pub(super) fn judge<'inputs>(
    inputs: &Inputs<'inputs>,
    group: &TargetGroup,
    target: &Target,
    key: &TargetKey,
    used: bool,
) -> Verdict<'inputs> {
    let hop = usable_hop(inputs, group, target);
    let verdict = |state, reason, detail: String, candidate| Verdict {
        state,
        reason,
        detail,
        hop: hop.as_ref().ok().copied(),
        candidate,
    };
    if inputs.drained.contains(key) {
        let reason = Some(Reason::DeregistrationInProgress);
        return verdict(TargetState::Draining, reason, String::new(), Candidate::Out);
    }
    if !used {
        let detail = format!("no listener forwards to target group {}", group.name);
        return verdict(TargetState::Unused, Some(Reason::NotInUse), detail, Candidate::Out);
    }
    let (state, reason, detail) = match inputs.health.get(key) {
        Some(health) => (health.state, health.reason, health.detail.clone()),
        None => (
            TargetState::Initial,
            Some(Reason::InitialHealthChecking),
            "its first health check has not finished".to_owned(),
        ),
    };
    if let Err(why) = &hop {
        let reason = Some(Reason::IpUnusable);
        return verdict(state, reason, why.clone(), Candidate::Unreachable);
    }
    let candidate = match state {
        _ if target.weight == 0 => Candidate::Weightless,
        TargetState::Healthy => Candidate::InService,
        TargetState::Unhealthy => Candidate::FailOpen,
        TargetState::Initial => Candidate::Initial,
        TargetState::Draining | TargetState::Unused => Candidate::Out,
    };
    verdict(state, reason, detail, candidate)
}

/// The next hop of a target, or why it cannot be used.
fn usable_hop<'inputs>(
    inputs: &Inputs<'inputs>,
    group: &TargetGroup,
    target: &Target,
) -> Result<&'inputs NextHop, String> {
    let address = target.address;
    match inputs.next_hops.get(&address) {
        None => Err(format!("the next hop of {address} is still being looked up")),
        Some(NextHopState::Asking(why) | NextHopState::Unresolved(why)) => Err(why.clone()),
        Some(NextHopState::Resolved(hop)) if group.forwarding == Mode::L2dsr && !hop.on_link => {
            Err(format!(
                "{address} is behind a router, and l2dsr reaches only targets on the same layer 2: \
                 use forwarding ipip, or connect this host to the network of the target"
            ))
        }
        Some(NextHopState::Resolved(hop)) => Ok(hop),
    }
}

/// Which of a group's targets are in its ring, in their order.
pub(super) fn in_ring(verdicts: &[Verdict<'_>]) -> Vec<bool> {
    let has = |candidate| verdicts.iter().any(|verdict| verdict.candidate == candidate);
    let taken = if has(Candidate::InService) { Candidate::InService } else { Candidate::FailOpen };
    let candidates = verdicts.iter().map(|verdict| verdict.candidate);
    candidates.map(|candidate| candidate == taken).collect()
}

/// What people must be told of a group that listeners use.
pub(super) fn warnings(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> Vec<String> {
    let name = &group.name;
    let count = |candidate| {
        let verdicts = verdicts.iter();
        verdicts.filter(|verdict| verdict.candidate == candidate).count()
    };
    let all = verdicts.len();
    let mut warnings = Vec::new();
    if all == 0 {
        warnings.push(format!(
            "target group {name}: it has no targets; packets for its listeners are dropped and \
             counted as ring_missing"
        ));
    } else if count(Candidate::InService) == 0 {
        warnings.push(match count(Candidate::FailOpen) {
            0 => format!(
                "target group {name}: no target may take traffic ({}); packets for its listeners \
                 are dropped and counted as no_target",
                [
                    (Candidate::Initial, "waiting for the first health check"),
                    (Candidate::Unreachable, "without a usable next hop"),
                    (Candidate::Out, "draining"),
                    (Candidate::Weightless, "of weight 0"),
                ]
                .into_iter()
                .filter(|(candidate, _)| count(*candidate) > 0)
                .map(|(candidate, text)| format!("{} {text}", count(candidate)))
                .collect::<Vec<_>>()
                .join(", ")
            ),
            1 if all == 1 => {
                format!("target group {name}: no healthy target; failing open to its only target")
            }
            open if open == all => {
                format!("target group {name}: no healthy target; failing open to all {all} targets")
            }
            open => format!(
                "target group {name}: no healthy target; failing open to {open} of {all} targets"
            ),
        });
    }
    let unreachable = count(Candidate::Unreachable);
    if unreachable > 0 {
        let lost = group.targets.iter().zip(verdicts);
        let mut named: Vec<String> = lost
            .filter(|(_, verdict)| verdict.candidate == Candidate::Unreachable)
            .take(NAMED_MAX)
            .map(|(target, verdict)| format!("{}: {}", target.address, verdict.detail))
            .collect();
        if unreachable > NAMED_MAX {
            named.push(format!("and {} more", unreachable - NAMED_MAX));
        }
        warnings.push(format!(
            "target group {name}: {unreachable} of {all} targets have no usable next hop and take \
             no traffic ({})",
            named.join("; ")
        ));
    }
    warnings
}
