//! PURE: the targets that a group had, found again by address and port: they keep their ids.

use std::collections::{BTreeMap, HashMap};

use lb_common::{Address, Be16, Target};

use super::Tables;

/// What finds a target again in its group: family, address, port.
pub(super) type Place = (u8, Address, Be16);

/// The previous targets of one group, in the order of their ids.
#[derive(Default)]
pub(super) struct PreviousTargets<'tables> {
    targets: Vec<(u16, &'tables Target)>,
    /// Which of them were found.
    found: Vec<bool>,
    /// Where the search continues: most targets come in the order of their ids.
    next: usize,
    /// Indices in `targets`; made when a target is elsewhere than expected.
    index: Option<HashMap<Place, usize>>,
}

impl<'tables> FromIterator<&'tables (u16, Target)> for PreviousTargets<'tables> {
    fn from_iter<I: IntoIterator<Item = &'tables (u16, Target)>>(targets: I) -> Self {
        let mut targets: Vec<_> = targets.into_iter().map(|(id, target)| (*id, target)).collect();
        targets.sort_unstable_by_key(|(id, _)| *id);
        Self { found: vec![false; targets.len()], targets, ..Self::default() }
    }
}

impl<'tables> PreviousTargets<'tables> {
    /// The previous targets of all groups, by the id of their group.
    pub(super) fn of(previous: &'tables Tables) -> BTreeMap<u16, Self> {
        let mut groups: BTreeMap<u16, Self> = BTreeMap::new();
        for (id, target) in &previous.targets {
            let group = groups.entry(target.group).or_default();
            group.targets.push((*id, target));
            group.found.push(false);
        }
        groups
    }

    /// The target that was in this place.
    pub(super) fn find(&mut self, place: Place) -> Option<(u16, &'tables Target)> {
        let number = self.number(place)?;
        self.next = number + 1;
        if let Some(found) = self.found.get_mut(number) {
            *found = true;
        }
        self.targets.get(number).copied()
    }

    fn number(&mut self, place: Place) -> Option<usize> {
        let expected = self.targets.get(self.next);
        if expected.is_some_and(|(_, target)| place_of(target) == place) {
            return Some(self.next);
        }
        let targets = &self.targets;
        let index = self.index.get_or_insert_with(|| {
            let numbered = targets.iter().enumerate();
            numbered.map(|(number, (_, target))| (place_of(target), number)).collect()
        });
        index.get(&place).copied()
    }

    /// Those that were not found.
    pub(super) fn left(self) -> impl Iterator<Item = (u16, &'tables Target)> {
        self.targets.into_iter().zip(self.found).filter(|(_, found)| !found).map(|(left, _)| left)
    }
}

pub(super) fn place_of(target: &Target) -> Place {
    (target.family, target.address, target.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_in_any_order() {
        let target = |group: u16, number: u8| Target {
            group,
            family: 4,
            address: Address::v4([10, 0, 0, number]),
            ..Target::default()
        };
        let mut tables = Tables::default();
        for (id, group, number) in [(1, 1, 1), (2, 2, 2), (3, 1, 3), (4, 1, 4), (9, 1, 9)] {
            tables.targets.insert(id, target(group, number));
        }
        for (asked, found, left) in [
            (vec![1, 3, 4], vec![1, 3, 4], vec![9]),
            (vec![4, 3, 1], vec![4, 3, 1], vec![9]),
            (vec![3, 7, 4], vec![3, 4], vec![1, 9]),
            (vec![2], vec![], vec![1, 3, 4, 9]),
        ] {
            let mut previous = PreviousTargets::of(&tables).remove(&1).unwrap();
            let ids = asked.iter().filter_map(|number| {
                previous.find(place_of(&target(1, *number))).map(|(id, _)| id)
            });
            assert_eq!(ids.collect::<Vec<_>>(), found, "{asked:?}");
            assert_eq!(previous.left().map(|(id, _)| id).collect::<Vec<_>>(), left, "{asked:?}");
        }
    }
}
