//! PURE: faults of a rule with their paths, as they are found.

use crate::{error::Problem, fault_path::PathStep};

/// Faults with their paths, as they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    path: Vec<PathStep>,
    found: Vec<(Vec<PathStep>, Problem)>,
}

impl Problems {
    /// Adds a fault of the part that is checked now.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.found.push((self.path.clone(), problem));
    }

    /// Checks what is under a key.
    pub(crate) fn key(&mut self, key: &str, check: impl FnOnce(&mut Self)) {
        self.below(PathStep::Key(key.to_owned()), check);
    }

    /// Checks each item of a list.
    pub(crate) fn items<T>(&mut self, items: &[T], mut check: impl FnMut(&T, &mut Self)) {
        for (place, item) in items.iter().enumerate() {
            self.below(PathStep::Item(place), |problems| check(item, problems));
        }
    }

    /// Checks the item of a list at this place.
    pub(crate) fn item(&mut self, place: usize, check: impl FnOnce(&mut Self)) {
        self.below(PathStep::Item(place), check);
    }

    fn below(&mut self, step: PathStep, check: impl FnOnce(&mut Self)) {
        self.path.push(step);
        check(self);
        self.path.pop();
    }

    /// All faults, in the order in which they were found.
    pub(crate) fn into_found(self) -> Vec<(Vec<PathStep>, Problem)> {
        self.found
    }
}
