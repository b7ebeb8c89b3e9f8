//! PURE: where the parts of a configuration stand in its document.

use std::sync::Arc;

use super::error::At;

/// Positions of the parts of a configuration, in the order of the model.
#[derive(Debug, Default)]
pub(super) struct Positions {
    pub(super) interfaces: Vec<At>,
    /// Addresses of `source_nat`.
    pub(super) sources: Vec<At>,
    /// Whether `source_nat` was left out, or a part of it: groups may need it.
    pub(super) source_missing: bool,
    /// The whole list.
    pub(super) all_groups: At,
    pub(super) groups: Vec<Arc<GroupPositions>>,
    /// Whether a group was left out: a listener may name it.
    pub(super) group_missing: bool,
    /// The whole list.
    pub(super) all_listeners: At,
    pub(super) listeners: Vec<Arc<ListenerPositions>>,
}

/// Positions of the parts of a listener.
#[derive(Debug)]
pub(super) struct ListenerPositions {
    pub(super) at: At,
    pub(super) target_group: At,
}

/// Positions of the parts of a target group.
#[derive(Debug)]
pub(super) struct GroupPositions {
    pub(super) at: At,
    pub(super) port: At,
    pub(super) forwarding: At,
    pub(super) targets: Vec<At>,
}
