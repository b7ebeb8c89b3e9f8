//! Verdicts by target, in groups: a plan goes through one group after the other.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use super::Health;
use crate::config::TargetKey;

/// The health of targets; one without a verdict is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthTable {
    groups: HashMap<Arc<str>, GroupHealth>,
}

/// Verdicts on the targets of one group, by address and port.
pub type GroupHealth = BTreeMap<(IpAddr, u16), Health>;

impl HealthTable {
    /// The verdicts on the targets of a group; `None` when there are none.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&GroupHealth> {
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
        self.groups.entry(group).or_default().insert((address, port), health);
    }

    /// The place of a verdict.
    pub fn entry(&mut self, target: TargetKey) -> Entry<'_, (IpAddr, u16), Health> {
        let TargetKey { group, address, port } = target;
        self.groups.entry(group).or_default().entry((address, port))
    }

    /// Forgets the verdicts on all targets but these.
    pub fn retain(&mut self, keep: impl Fn(&TargetKey) -> bool) {
        self.groups.retain(|group, verdicts| {
            verdicts.retain(|(address, port), _| {
                keep(&TargetKey { group: group.clone(), address: *address, port: *port })
            });
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
