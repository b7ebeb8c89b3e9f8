//! Verdicts by target, in groups: a plan goes through one group after the other.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use lb_config::TargetKey;

use super::Health;

/// The health of targets; one without a verdict is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthTable {
    groups: HashMap<Arc<str>, Arc<GroupHealth>>,
}

/// Verdicts on the targets of one group, by address and port.
pub type GroupHealth = BTreeMap<(IpAddr, u16), Health>;

impl HealthTable {
    /// The verdicts on the targets of a group; `None` when there are none. A verdict that changes
    /// makes another value of it.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Arc<GroupHealth>> {
        self.groups.get(name)
    }

    /// The verdict on a target.
    #[must_use]
    pub fn get(&self, target: &TargetKey) -> Option<&Health> {
        self.groups.get(&target.group)?.get(&(target.address, target.port))
    }

    /// Keeps a verdict.
    pub fn insert(&mut self, target: TargetKey, health: Health) {
        let TargetKey { group, address, port } = target;
        Arc::make_mut(self.groups.entry(group).or_default()).insert((address, port), health);
    }

    /// Gives a group that has no verdicts those of another.
    pub fn carry_over(&mut self, from: &str, to: &Arc<str>) {
        if let Some(verdicts) = self.groups.get(from).map(Arc::clone) {
            self.groups.entry(Arc::clone(to)).or_insert(verdicts);
        }
    }

    /// Whether there is no verdict.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Forgets the verdicts on all targets but these.
    pub fn retain(&mut self, keep: impl Fn(&TargetKey) -> bool) {
        self.groups.retain(|group, verdicts| {
            let kept = |(address, port): &(IpAddr, u16)| {
                keep(&TargetKey { group: group.clone(), address: *address, port: *port })
            };
            if !verdicts.keys().all(kept) {
                Arc::make_mut(verdicts).retain(|place, _| kept(place));
            }
            !verdicts.is_empty()
        });
    }
}

impl FromIterator<(TargetKey, Health)> for HealthTable {
    fn from_iter<I: IntoIterator<Item = (TargetKey, Health)>>(verdicts: I) -> Self {
        let mut table = Self::default();
        for (target, health) in verdicts {
            table.insert(target, health);
        }
        table
    }
}
