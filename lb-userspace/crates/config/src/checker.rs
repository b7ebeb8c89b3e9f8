//! Checks one document after the other. What a document shares with the last one is not read again:
//! a change of one target costs the reading of its group.

use std::sync::Arc;

use super::{
    Checked, ConfigErrors, Document, Limits, check,
    model::{Config, Listener, TargetGroup},
    read::{GroupPositions, ListenerPositions, Positions},
    tree::Node,
};

/// See [`super::validate`], which it does faster where it knows the document already in part.
#[derive(Debug, Default)]
pub struct Checker {
    within: Limits,
    last: Option<Last>,
}

/// A document without errors, and what was read from it.
#[derive(Debug)]
pub(super) struct Last {
    document: Document,
    config: Config,
    places: Positions,
}

impl Checker {
    /// One that allows so much.
    #[must_use]
    pub const fn within(limits: Limits) -> Self {
        Self { within: limits, last: None }
    }

    /// Checks a document that did not come from a file. The files that it names are not touched.
    pub fn check(&mut self, document: &Document) -> Result<Checked, ConfigErrors> {
        let (checked, places) = check(document, self.last.as_ref(), &self.within, "", None)?;
        let (document, config) = (document.clone(), checked.0.clone());
        self.last = Some(Last { document, config, places });
        Ok(checked)
    }
}

impl Last {
    /// What was read from a group, if this is the same one in the same place.
    pub(super) fn group(
        &self,
        index: usize,
        node: &Node,
    ) -> Option<(Arc<TargetGroup>, Arc<GroupPositions>)> {
        let known = self.document.0.items("target_groups").get(index)?;
        let (group, places) =
            (self.config.target_groups.get(index)?, self.places.groups.get(index)?);
        known.is_same_section(node).then(|| (Arc::clone(group), Arc::clone(places)))
    }

    /// What was read from a listener, if this is the same one in the same place.
    pub(super) fn listener(
        &self,
        index: usize,
        node: &Node,
    ) -> Option<(Arc<Listener>, Arc<ListenerPositions>)> {
        let known = self.document.0.items("listeners").get(index)?;
        let (listener, places) =
            (self.config.listeners.get(index)?, self.places.listeners.get(index)?);
        known.is_same_section(node).then(|| (Arc::clone(listener), Arc::clone(places)))
    }
}
