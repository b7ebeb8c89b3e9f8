//! Reports on targets, for people and the API: one part for each group, which plans share.

use std::{collections::HashSet, sync::Arc};

use lb_common::target::TargetState;
use lb_config::TargetKey;

use crate::Reason;

/// One target, for people and the API.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetReport {
    /// Which.
    pub key: TargetKey,
    /// Its number in the maps.
    pub id: u16,
    /// Its weight.
    pub weight: u32,
    /// Its state.
    pub state: TargetState,
    /// Why; `None` when healthy, unless this host cannot check it.
    pub reason: Option<Reason>,
    /// More on that, for people; empty when there is nothing to say.
    pub detail: String,
    /// Whether it takes new flows.
    pub in_ring: bool,
    /// Whether it has left the configuration and finishes its flows.
    pub leaving: bool,
    /// Second of the monotonic clock at which its flows are no longer kept, while it takes no new
    /// ones.
    pub until: Option<u32>,
    /// Its part of the slots of its group's ring, 0 to 1.
    pub share: f64,
}

impl TargetReport {
    /// The state to show: a target that packets cannot reach is not healthy for anybody, whatever
    /// its checks say.
    #[must_use]
    pub fn shown_state(&self) -> TargetState {
        match (self.state, self.reason) {
            (TargetState::Healthy, Some(Reason::IpUnusable)) => TargetState::Unhealthy,
            (state, _) => state,
        }
    }

    /// The reason to show: healthy has none against it. That this host cannot check a target which was
    /// healthy before is in the detail, and a warning.
    #[must_use]
    pub fn shown_reason(&self) -> Option<Reason> {
        self.reason.filter(|_| self.shown_state() != TargetState::Healthy)
    }
}

/// Reports on all targets, group by group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reports {
    groups: Vec<Arc<[TargetReport]>>,
}

impl Reports {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &TargetReport> + Clone {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds those of a group.
    pub(super) fn push(&mut self, group: Arc<[TargetReport]>) {
        self.groups.push(group);
    }

    /// Those of groups that both do not share: of this one, and of the other.
    #[must_use]
    pub fn apart<'a>(&'a self, other: &'a Self) -> [Vec<&'a TargetReport>; 2] {
        let [ours, theirs] = [self, other].map(|reports| {
            reports.groups.iter().map(|group| group.as_ptr()).collect::<HashSet<_>>()
        });
        let without = |reports: &'a Self, shared: &HashSet<_>| {
            let groups = reports.groups.iter().filter(|group| !shared.contains(&group.as_ptr()));
            groups.flat_map(|group| group.iter()).collect()
        };
        [without(self, &theirs), without(other, &ours)]
    }
}

impl<'a> IntoIterator for &'a Reports {
    type Item = &'a TargetReport;
    type IntoIter = Box<dyn Iterator<Item = &'a TargetReport> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl FromIterator<TargetReport> for Reports {
    fn from_iter<I: IntoIterator<Item = TargetReport>>(reports: I) -> Self {
        Self { groups: vec![reports.into_iter().collect()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(ports: &[u16]) -> Arc<[TargetReport]> {
        let report = |port: &u16| TargetReport {
            key: TargetKey { group: "web".into(), address: [10, 0, 0, 1].into(), port: *port },
            id: *port,
            weight: 1,
            state: TargetState::Healthy,
            reason: None,
            detail: String::new(),
            in_ring: true,
            leaving: false,
            until: None,
            share: 1.0,
        };
        ports.iter().map(report).collect()
    }

    fn ids(reports: &[&TargetReport]) -> Vec<u16> {
        reports.iter().map(|report| report.id).collect()
    }

    #[test]
    fn shared_parts_are_omitted_at_any_position() {
        let (shared, other) = (group(&[1, 2]), group(&[3]));
        let before = Reports { groups: vec![shared.clone(), other.clone(), group(&[4, 5])] };
        let after = Reports { groups: vec![group(&[4, 6]), other, shared] };
        let [left, right] = before.apart(&after);
        assert_eq!((ids(&left), ids(&right)), (vec![4, 5], vec![4, 6]));
        assert_eq!((before.len(), before.iter().count(), before.is_empty()), (5, 5, false));
        assert_eq!(before.apart(&before), [Vec::<&TargetReport>::new(), Vec::new()]);
    }
}
