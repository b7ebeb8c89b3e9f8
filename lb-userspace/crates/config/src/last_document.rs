//! PURE: the last document that was checked, from which the next one takes what both share.

use std::sync::Arc;

use super::{
    Document,
    model::{Config, Listener, TargetGroup},
    positions::{GroupPositions, ListenerPositions, Positions},
    tree::Node,
};

/// A document without errors, and what was read from it.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) document: Document,
    pub(super) config: Config,
    pub(super) places: Positions,
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
