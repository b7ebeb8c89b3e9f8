//! PURE: what is stored of a group. It is all that a new agent knows. Names are made here, since
//! they tell which members this ledger has chosen.

use std::collections::BTreeMap;

use lb_scale::Moment;
use serde::{Deserialize, Serialize};

use crate::{breaker::Breaker, record::Record, settings::RefreshOptions};

/// The stored state of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// A random number, chosen once. It keeps names of a lost ledger apart from new ones.
    pub epoch: u16,
    /// The number of the next member.
    pub next_member: u64,
    /// All members that exist or may exist, by name.
    pub members: BTreeMap<String, Record>,
    /// Why no members are launched.
    #[serde(default)]
    pub breaker: Option<Breaker>,
    /// The instance refresh in progress.
    #[serde(default)]
    pub refresh: Option<Refresh>,
    /// The template of new members after a rollback, and the one that it replaces.
    #[serde(default)]
    pub pinned: Option<Pinned>,
}

/// A template that a rollback chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The template of new members.
    pub template: String,
    /// The template of the settings that failed. Another one in the settings ends the pin.
    pub instead_of: String,
}

/// An instance refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// How it proceeds.
    pub options: RefreshOptions,
    /// The template that most members had at its start.
    pub from: String,
    /// Checkpoints that are passed.
    pub passed: usize,
    /// Since when it pauses at a checkpoint.
    pub paused: Option<Moment>,
    /// Launches that failed since the last one that succeeded.
    pub failures: u32,
    /// Whether it goes back.
    pub rolling_back: bool,
}

impl Ledger {
    /// The ledger of a new group. The epoch is a random number that the caller draws.
    #[must_use]
    pub fn new(epoch: u16) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// A name that was never used before.
    pub(crate) fn choose_name(&mut self, group: &str) -> String {
        let number = self.next_member;
        self.next_member += 1;
        format!("{group}-{:04x}-{number}", self.epoch)
    }

    /// The number in a name that this ledger could have chosen.
    pub(crate) fn number_of(&self, group: &str, name: &str) -> Option<u64> {
        let rest = name.strip_prefix(group)?.strip_prefix('-')?;
        let (epoch, number) = rest.split_once('-')?;
        (epoch == format!("{:04x}", self.epoch)).then(|| number.parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_who_chose_them() {
        let mut ledger = Ledger::new(0x3f2a);
        assert_eq!(ledger.choose_name("web"), "web-3f2a-0");
        assert_eq!(ledger.choose_name("web"), "web-3f2a-1");
        let cases = [
            ("web-3f2a-1", Some(1)),
            ("web-3f2b-1", None),
            ("web-api-3f2a-1", None),
            ("other-3f2a-1", None),
            ("web-3f2a-", None),
            ("web", None),
        ];
        for (name, number) in cases {
            assert_eq!(ledger.number_of("web", name), number, "{name}");
        }
    }
}
