//! PURE: which members leave first: those that do not serve, then unhealthy ones, then by the
//! termination policies. Protected members never leave.

use std::cmp::Ordering;

use crate::{
    group::Group,
    record::{Phase, Presence, Record},
    settings::TerminationPolicy,
};

impl Group {
    /// At most so many members to end.
    pub(crate) fn victims(&self, count: u32) -> Vec<String> {
        let is_candidate =
            |(_, record): &(&String, &Record)| record.phase.is_capacity() && !record.protected;
        let mut candidates: Vec<(&String, &Record)> =
            self.ledger.members.iter().filter(is_candidate).collect();
        candidates.sort_by(|a, b| self.compare(*a, *b));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        candidates.into_iter().take(count).map(|(name, _)| name.clone()).collect()
    }

    fn compare(&self, a: (&String, &Record), b: (&String, &Record)) -> Ordering {
        let by_policies = || {
            let policies = self.settings.termination.iter();
            policies.fold(Ordering::Equal, |order, policy| {
                order.then_with(|| self.by_policy(*policy, a, b))
            })
        };
        let refreshes = self.ledger.refresh.is_some();
        let is_new = |record: &Record| record.template == self.launch_template();
        self.rank(a)
            .cmp(&self.rank(b))
            .then_with(|| (refreshes && is_new(a.1)).cmp(&(refreshes && is_new(b.1))))
            .then_with(by_policies)
            .then_with(|| a.0.cmp(b.0))
    }

    /// What a member serves now: the least first.
    fn rank(&self, (name, record): (&String, &Record)) -> u8 {
        match record.phase {
            Phase::Launching if record.presence == Presence::Never => 0,
            Phase::Launching => 1,
            Phase::LaunchHook => 2,
            Phase::FirstHealthy => 3,
            _ if !self.is_healthy(name) => 4,
            _ => 5,
        }
    }

    fn by_policy(
        &self,
        policy: TerminationPolicy,
        a: (&String, &Record),
        b: (&String, &Record),
    ) -> Ordering {
        let flows =
            |name: &String| self.known.get(name).and_then(|known| known.flows).unwrap_or(u64::MAX);
        // Moments of two boots have no order of their own.
        let age = |record: &Record, other: &Record| other.launched.since(&record.launched);
        let older_first = || age(b.1, a.1).cmp(&age(a.1, b.1));
        let is_new = |record: &Record| record.template == self.launch_template();
        match policy {
            TerminationPolicy::LeastFlows => flows(a.0).cmp(&flows(b.0)),
            TerminationPolicy::Oldest => older_first(),
            TerminationPolicy::Newest => older_first().reverse(),
            TerminationPolicy::OldTemplate => is_new(a.1).cmp(&is_new(b.1)),
        }
    }
}
