//! What has changed of groups is stored in one commit; what follows from it is done afterwards.

use std::{collections::BTreeSet, sync::Arc};

use lb_scale::Moment;

use super::{Scaling, running::Running};
use crate::stored::{Parts, Stored};

/// Groups of which only what decisions remember is stored, in one commit: all of a thousand would delay
/// what else the agent does.
const STALE_MAX: usize = 200;

/// A change of what is stored of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartChange<'a> {
    /// The group.
    pub group: &'a str,
    /// The part of its state; that with an empty name is the main one.
    pub part: &'a str,
    /// What it is now; `None` forgets it.
    pub state: Option<&'a [u8]>,
}

/// Where groups are stored. What a call has returned survives a power cut.
pub trait GroupStore {
    /// The names of all groups with a main part.
    fn names(&mut self) -> Result<Vec<String>, String>;
    /// These parts of what is stored of a group, in their order.
    fn load(&mut self, group: &str, parts: &[&str]) -> Result<Vec<Option<Vec<u8>>>, String>;
    /// Makes all of these changes, or none.
    fn keep(&mut self, changes: &[PartChange<'_>]) -> Result<(), String>;
}

/// What is stored of a group.
pub(super) fn load(
    store: &mut dyn GroupStore,
    name: &str,
) -> Result<(Parts, Option<Stored>), String> {
    let parts = Parts::found(store.load(name, &Parts::names())?);
    let stored =
        parts.read().map_err(|error| format!("the stored state of group {name}: {error}"))?;
    Ok((parts, stored))
}

impl Scaling {
    /// Stores what has changed of these groups, and then does what follows from it. If it cannot be
    /// stored, nothing is done, and the groups go on from what was stored.
    pub(super) fn follow(
        &mut self,
        names: &BTreeSet<Arc<str>>,
        store: &mut dyn GroupStore,
        now: Moment,
    ) {
        self.store(names, store, now);
        for name in names {
            let Some(running) = self.groups.get_mut(name) else { continue };
            for action in std::mem::take(&mut running.group.actions) {
                running.act(action, &self.context);
            }
            self.has_other_targets |= running.note_targets();
            self.note_events(name);
        }
    }

    fn store(&mut self, names: &BTreeSet<Arc<str>>, store: &mut dyn GroupStore, now: Moment) {
        let drafts = self.drafts(names, now);
        let changes: Vec<PartChange<'_>> = drafts
            .iter()
            .filter_map(|(name, parts)| Some((name, parts, self.groups.get(name)?)))
            .flat_map(|(group, parts, running)| {
                let changes = parts.changes(&running.stored);
                changes.map(|(part, state)| PartChange { group, part, state })
            })
            .collect();
        let kept = if changes.is_empty() { Ok(()) } else { store.keep(&changes) };
        if let Err(error) = &kept {
            let groups = drafts.len();
            tracing::error!(groups, error, "scaled groups cannot be stored");
        }
        for (name, parts) in drafts {
            let Some(running) = self.groups.get_mut(&name) else { continue };
            match &kept {
                Ok(()) if running.group.is_over() => {
                    self.note_events(&name);
                    self.groups.remove(&name);
                    self.has_other_targets = true;
                }
                Ok(()) => running.is_stored(parts, now),
                Err(error) if running.group.is_over() => {
                    running.group.store_error = Some(error.clone());
                }
                Err(error) => running.go_back(error.clone()),
            }
        }
    }

    /// What is to be stored of those groups whose state has changed, or was not stored for a while.
    fn drafts(&mut self, names: &BTreeSet<Arc<str>>, now: Moment) -> Vec<(Arc<str>, Parts)> {
        let mut drafts = Vec::new();
        let mut stale = 0;
        for name in names {
            let Some(running) = self.groups.get_mut(name) else { continue };
            if !running.is_to_be_stored(&mut stale, now) {
                continue;
            }
            match running.parts() {
                Ok(parts) => drafts.push((Arc::clone(name), parts)),
                Err(error) => {
                    tracing::error!(group = &**name, error, "a scaled group cannot be stored");
                    running.go_back(error);
                }
            }
        }
        drafts
    }
}

impl Running {
    /// Counts those that are only stale.
    fn is_to_be_stored(&self, stale: &mut usize, now: Moment) -> bool {
        if self.group.is_changed || self.group.is_over() {
            return true;
        }
        let is_stale = *stale < STALE_MAX && self.group.is_stale(now);
        *stale += usize::from(is_stale);
        is_stale
    }

    /// What is to be stored of it: nothing, once it is over.
    fn parts(&self) -> Result<Parts, String> {
        if self.group.is_over() { Ok(Parts::default()) } else { self.group.parts() }
    }
}
