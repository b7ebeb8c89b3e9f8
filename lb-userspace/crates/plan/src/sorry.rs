//! PURE: what is said of groups whose listeners go to their sorry groups.

use std::collections::BTreeSet;

use super::{compile::Compiler, listeners::Listeners};
use crate::warning::{Warning, WarningKind};

impl Compiler<'_, '_> {
    /// Says which groups have been left for sorry groups. What such a group would do with packets is not
    /// said then: it gets none.
    pub(super) fn warn_of_sorry(&mut self, planned: &Listeners) {
        if self.plan.sorry.is_empty() {
            return;
        }
        let kept: BTreeSet<u16> = planned.all().map(|listener| listener.group).collect();
        let mut left: BTreeSet<(&str, &str)> = BTreeSet::new();
        for listener in &self.inputs.config.listeners {
            let (own, sorry) = (&listener.target_group, &listener.sorry_target_group);
            let is_down = self.plan.cache.group(own).is_some_and(|group| group.is_down);
            if let Some(sorry) = sorry.as_ref().filter(|_| is_down) {
                let serves = self.plan.cache.group(sorry).is_some_and(|group| group.serves());
                if serves {
                    left.insert((own, sorry));
                }
            }
        }
        for (own, sorry) in left {
            let id = self.plan.cache.group(own).map(|group| group.id);
            let is_alone = id.is_some_and(|id| !kept.contains(&id));
            self.plan.warnings.retain(|warning| {
                use WarningKind::{FailOpen, NoTargetInService, QuorumLost};
                let untrue = matches!(warning.kind, FailOpen | NoTargetInService | QuorumLost);
                !is_alone || !untrue || *warning.subject != *own
            });
            let text = format!(
                "target group {own}: it has no target in service, or fewer than its quorum; its \
                 listeners forward to their sorry group {sorry}"
            );
            self.plan.warnings.push(Warning::new(WarningKind::SorryGroupInUse, own, text));
        }
    }
}
