//! Who is in a group's ring, and what people must be told.

use super::life::{Candidate, Verdict};
use crate::{
    config::TargetGroup,
    warning::{Warning, WarningKind},
};

/// Targets that a warning names one by one.
const NAMED_MAX: usize = 3;

/// How many targets of a group are in service.
fn in_service(verdicts: &[Verdict<'_>]) -> usize {
    verdicts.iter().filter(|verdict| verdict.candidate == Candidate::InService).count()
}

/// Whether so few of a group's targets are healthy that the others are used as well.
fn fails_open(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> bool {
    !group.life.minimum_healthy.is_met(in_service(verdicts), verdicts.len())
}

/// Which of a group's targets are in its ring, in their order.
pub(super) fn in_ring(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> Vec<bool> {
    let open = fails_open(group, verdicts);
    let candidates = verdicts.iter().map(|verdict| verdict.candidate);
    candidates
        .map(|candidate| {
            candidate == Candidate::InService || open && candidate == Candidate::FailOpen
        })
        .collect()
}

/// What people must be told of a group that listeners use.
pub(super) fn warnings(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> Vec<Warning> {
    let name = &group.name;
    let count = |candidate| {
        let verdicts = verdicts.iter();
        verdicts.filter(|verdict| verdict.candidate == candidate).count()
    };
    let all = verdicts.len();
    let mut warnings = Vec::new();
    let mut warn = |kind, text: String| warnings.push(Warning::new(kind, &**name, text));
    if all == 0 {
        let text = format!(
            "target group {name}: it has no targets; packets for its listeners are dropped and \
             counted as ring_missing"
        );
        warn(WarningKind::GroupWithoutTargets, text);
    } else if let (healthy @ 1.., open @ 1.., true) =
        (in_service(verdicts), count(Candidate::FailOpen), fails_open(group, verdicts))
    {
        let text = format!(
            "target group {name}: {healthy} of {all} targets are healthy, fewer than \
             minimum_healthy_targets; failing open to {open} unhealthy ones"
        );
        warn(WarningKind::FailOpen, text);
    } else if in_service(verdicts) == 0 {
        let open = count(Candidate::FailOpen);
        let kind = if open == 0 { WarningKind::NoTargetInService } else { WarningKind::FailOpen };
        let text = match open {
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
        };
        warn(kind, text);
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
        let text = format!(
            "target group {name}: {unreachable} of {all} targets have no usable next hop and take \
             no traffic ({})",
            named.join("; ")
        );
        warn(WarningKind::NextHopUnresolved, text);
    }
    warnings
}
