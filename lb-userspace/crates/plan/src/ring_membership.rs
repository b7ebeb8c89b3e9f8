//! Which targets are in a group's ring, and the warnings.

use lb_config::TargetGroup;

use super::target_lifecycle::{Candidate, Verdict};
use crate::{
    Reason,
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

/// Whether this host cannot check a target: it is dead or alive.
fn is_unchecked(verdict: &Verdict<'_>) -> bool {
    verdict.reason == Some(Reason::InternalError)
}

/// Which of a group's targets are in its ring, in their order.
///
/// Targets that cannot be checked leave it only for one that is known to be healthy. A fault of this
/// host that strikes a whole group makes its targets unhealthy one after the other, and must not
/// drive flows around.
pub(super) fn in_ring(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> Vec<bool> {
    let open = fails_open(group, verdicts);
    let known = verdicts
        .iter()
        .any(|verdict| verdict.candidate == Candidate::InService && !is_unchecked(verdict));
    verdicts
        .iter()
        .map(|verdict| match verdict.candidate {
            Candidate::InService => true,
            Candidate::FailOpen => open || !known && is_unchecked(verdict),
            _ => false,
        })
        .collect()
}

/// Warnings about a group that listeners use.
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
    warnings.extend(unreachable(group, verdicts));
    warnings.extend(unchecked(group, verdicts));
    warnings
}

/// Targets that packets cannot reach.
fn unreachable(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> Option<Warning> {
    let (count, named) =
        named(group, verdicts, |verdict| verdict.candidate == Candidate::Unreachable)?;
    let (name, all) = (&group.name, verdicts.len());
    let text = format!(
        "target group {name}: {count} of {all} targets have no usable next hop and take no traffic \
         ({named})"
    );
    Some(Warning::new(WarningKind::NextHopUnresolved, &**name, text))
}

/// Targets whose health is not known.
fn unchecked(group: &TargetGroup, verdicts: &[Verdict<'_>]) -> Option<Warning> {
    let (count, named) = named(group, verdicts, is_unchecked)?;
    let (name, all) = (&group.name, verdicts.len());
    let text = format!(
        "target group {name}: this host cannot check {count} of {all} targets, so that their states \
         may be wrong ({named})"
    );
    Some(Warning::new(WarningKind::HealthUnknown, &**name, text))
}

/// Number of such targets of a group, and the first few with their problems; `None` if there is
/// none.
fn named(
    group: &TargetGroup,
    verdicts: &[Verdict<'_>],
    wanted: impl Fn(&Verdict<'_>) -> bool,
) -> Option<(usize, String)> {
    let lost = group.targets.iter().zip(verdicts).filter(|(_, verdict)| wanted(verdict));
    let lost: Vec<_> = lost.collect();
    let mut named: Vec<String> = lost
        .iter()
        .take(NAMED_MAX)
        .map(|(target, verdict)| format!("{}: {}", target.address, verdict.detail))
        .collect();
    if lost.len() > NAMED_MAX {
        named.push(format!("and {} more", lost.len() - NAMED_MAX));
    }
    (!lost.is_empty()).then(|| (lost.len(), named.join("; ")))
}
