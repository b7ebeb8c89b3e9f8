//! The target groups by name, and what to say of a name that none has.

use std::collections::HashMap;

use crate::{model::Config, section::nearest};

/// Where a target group stands in the model.
#[derive(Clone, Copy)]
pub(super) enum Group {
    /// In `target_groups`.
    Packets(usize),
    /// In `http_target_groups`.
    Requests(usize),
}

/// All target groups by name.
pub(super) struct GroupNames<'a>(HashMap<&'a str, Group>);

impl<'a> GroupNames<'a> {
    pub(super) fn of(config: &'a Config) -> Self {
        let mut names = HashMap::new();
        // Of two with one name the first is meant.
        for (index, group) in config.target_groups.iter().enumerate() {
            names.entry(&*group.name).or_insert(Group::Packets(index));
        }
        for (index, group) in config.http_target_groups.iter().enumerate() {
            names.entry(&*group.name).or_insert(Group::Requests(index));
        }
        Self(names)
    }

    pub(super) fn find(&self, name: &str) -> Option<Group> {
        self.0.get(name).copied()
    }

    /// The error of a name that no group has.
    pub(super) fn dangling(&self, name: &str) -> String {
        let mut names: Vec<&str> = self.0.keys().copied().collect();
        names.sort_unstable();
        let hint = match nearest(name, &names) {
            Some(known) => format!("; did you mean {known}?"),
            None if names.is_empty() => "; there are none".to_owned(),
            None if names.len() == 1 => format!("; there is only {}", some_of(&names)),
            None => format!("; there are {}", some_of(&names)),
        };
        format!("there is no target group {name}{hint}")
    }
}

/// The first few of many names.
fn some_of(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = names.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
