//! Which targets are in a group's ring, and the warnings.

use lb_config::TargetGroup;

use super::target_lifecycle::{Candidate, Verdict};
use crate::{
    Reason,
    warning::{Warning, WarningKind},
};

/// Targets that a warning names one by one.
const NAMED_MAX: usize = 3;

/// Whether this host cannot check a target: it is dead or alive.
fn is_unchecked(verdict: &Verdict<'_>) -> bool {
    verdict.reason == Some(Reason::InternalError)
}

/// Which targets of a group take new flows.
///
/// 1. Backups are left out while as many other targets are healthy as `backup_threshold` says.
/// 2. With fewer than `quorum` healthy ones, none is in the ring.
/// 3. With fewer than `minimum_healthy_targets`, unhealthy ones are used as well: fail open.
///
/// A target that this host cannot check counts as healthy for the first two: a fault of this host
/// must not take a listener out.
pub(super) struct Membership<'a> {
    group: &'a TargetGroup,
    verdicts: &'a [Verdict<'a>],
    /// Whether backups are chosen as well.
    backups: bool,
    /// How many chosen targets are in service.
    healthy: usize,
    /// The same, and those that cannot be checked.
    hopeful: usize,
    /// How many chosen targets there are, in service or not.
    all: usize,
}

impl<'a> Membership<'a> {
    pub(super) fn new(group: &'a TargetGroup, verdicts: &'a [Verdict<'a>]) -> Self {
        let mut membership =
            Self { group, verdicts, backups: false, healthy: 0, hopeful: 0, all: 0 };
        let of_first_choice = membership.chosen().count();
        let threshold = usize::try_from(group.life.backup_threshold).unwrap_or(usize::MAX);
        // Where all are backups, none is.
        membership.backups = of_first_choice == 0 || membership.hopeful() < threshold;
        membership.healthy = membership.count(Candidate::InService);
        membership.hopeful = membership.hopeful();
        // Backups do not change what a percentage is of.
        let all = if of_first_choice == 0 { verdicts.len() } else { of_first_choice };
        Self { all, ..membership }
    }

    fn is_chosen(&self, index: usize) -> bool {
        self.backups || self.group.targets.get(index).is_none_or(|target| !target.backup)
    }

    /// The verdicts on the targets that may take flows.
    fn chosen(&self) -> impl Iterator<Item = &'a Verdict<'a>> + '_ {
        let verdicts = self.verdicts.iter().enumerate();
        verdicts.filter(|(index, _)| self.is_chosen(*index)).map(|(_, verdict)| verdict)
    }

    fn count(&self, candidate: Candidate) -> usize {
        self.chosen().filter(|verdict| verdict.candidate == candidate).count()
    }

    /// Targets that are in service, or that nobody can say anything of.
    fn hopeful(&self) -> usize {
        let hopeful = |verdict: &&Verdict<'_>| match verdict.candidate {
            Candidate::InService => true,
            Candidate::FailOpen => is_unchecked(verdict),
            _ => false,
        };
        self.chosen().filter(hopeful).count()
    }

    fn is_below_quorum(&self) -> bool {
        self.hopeful < usize::try_from(self.group.life.quorum).unwrap_or(usize::MAX)
    }

    /// Whether so few targets are healthy that the others are used as well.
    fn fails_open(&self) -> bool {
        !self.group.life.minimum_healthy.is_met(self.healthy, self.all)
    }

    /// Whether it takes no new flows as its listeners want, and none of its targets waits for its first
    /// health check.
    pub(super) fn is_down(&self) -> bool {
        let waits = self.count(Candidate::Initial) > 0 || self.count(Candidate::Resolving) > 0;
        !waits && (self.is_below_quorum() || self.hopeful == 0)
    }

    /// Which targets are in the ring, in their order.
    ///
    /// Targets that cannot be checked leave it only for one that is known to be healthy. A fault of this
    /// host that strikes a whole group makes its targets unhealthy one after the other, and must not
    /// drive flows around.
    pub(super) fn in_ring(&self) -> Vec<bool> {
        if self.is_below_quorum() {
            return vec![false; self.verdicts.len()];
        }
        let open = self.fails_open();
        let known = self
            .chosen()
            .any(|verdict| verdict.candidate == Candidate::InService && !is_unchecked(verdict));
        let verdicts = self.verdicts.iter().enumerate();
        verdicts
            .map(|(index, verdict)| match verdict.candidate {
                Candidate::InService => self.is_chosen(index),
                Candidate::FailOpen => {
                    self.is_chosen(index) && (open || !known && is_unchecked(verdict))
                }
                _ => false,
            })
            .collect()
    }

    /// Warnings about a group that listeners use.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let Self { group, verdicts, .. } = self;
        let mut warnings: Vec<Warning> = self.service().into_iter().collect();
        warnings.extend(self.backups_in_use());
        warnings.extend(unreachable(group, verdicts));
        warnings.extend(unchecked(group, verdicts));
        warnings
    }

    /// What is wrong with the service of the group as a whole.
    fn service(&self) -> Option<Warning> {
        let Self { group, healthy, all, .. } = *self;
        let (name, open) = (&group.name, self.count(Candidate::FailOpen));
        let minimum = group.life.minimum_healthy.of(all);
        let warning = |kind, text: String| Some(Warning::new(kind, &**name, text));
        if self.verdicts.is_empty() {
            let text = format!(
                "target group {name}: it has no targets; packets for its listeners are dropped and \
                 counted as ring_missing"
            );
            return warning(WarningKind::GroupWithoutTargets, text);
        }
        if self.is_below_quorum() && self.is_down() {
            let quorum = group.life.quorum;
            let text = format!(
                "target group {name}: {healthy} of {all} targets are healthy, fewer than its quorum \
                 ({quorum}); its listeners take no new flows, which are dropped and counted as \
                 no_target"
            );
            return warning(WarningKind::QuorumLost, text);
        }
        if healthy > 0 {
            let text = format!(
                "target group {name}: {healthy} of {all} targets are healthy, fewer than \
                 minimum_healthy_targets ({minimum}); failing open to {open} unhealthy ones"
            );
            return if open > 0 && self.fails_open() {
                warning(WarningKind::FailOpen, text)
            } else {
                None
            };
        }
        if open == 0 {
            return warning(WarningKind::NoTargetInService, self.nobody());
        }
        let to = match open {
            1 if all == 1 => "its only target".to_owned(),
            open if open == all => format!("all {all} targets"),
            open => format!("{open} of {all} targets"),
        };
        let text = format!(
            "target group {name}: no target is healthy, fewer than minimum_healthy_targets \
             ({minimum}); failing open to {to}"
        );
        warning(WarningKind::FailOpen, text)
    }

    /// Why no target may take traffic.
    fn nobody(&self) -> String {
        let why = [
            (Candidate::Initial, "waiting for the first health check"),
            (Candidate::Unreachable, "without a usable next hop"),
            (Candidate::Resolving, "whose next hop is being looked up"),
            (Candidate::Out, "draining"),
            (Candidate::Weightless, "of weight 0"),
        ];
        let why: Vec<String> = why
            .into_iter()
            .map(|(candidate, text)| (self.count(candidate), text))
            .filter(|(count, _)| *count > 0)
            .map(|(count, text)| format!("{count} {text}"))
            .collect();
        format!(
            "target group {}: no target may take traffic ({}); packets for its listeners are dropped \
             and counted as no_target",
            self.group.name,
            why.join(", ")
        )
    }

    /// Backups that take flows.
    fn backups_in_use(&self) -> Option<Warning> {
        let Self { group, verdicts, all, .. } = *self;
        let targets = group.targets.iter().zip(verdicts);
        let in_service = targets.filter(|(_, verdict)| verdict.candidate == Candidate::InService);
        let (backups, others): (Vec<_>, Vec<_>) = in_service.partition(|(target, _)| target.backup);
        let is_mixed = group.targets.iter().any(|target| !target.backup);
        if !self.backups || !is_mixed || backups.is_empty() || self.is_below_quorum() {
            return None;
        }
        let text = format!(
            "target group {}: {} of {all} targets that are no backups are healthy, fewer than \
             backup_threshold ({}); new flows also go to {} backup targets",
            group.name,
            others.len(),
            group.life.backup_threshold,
            backups.len()
        );
        Some(Warning::new(WarningKind::BackupsInUse, &*group.name, text))
    }
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
    let cause = format!("targets have no usable next hop and take no traffic ({named})");
    Some(Warning { cause, ..Warning::new(WarningKind::NextHopUnresolved, &**name, text) })
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
