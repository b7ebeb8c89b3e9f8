//! PURE: where the parts of a configuration stand in its document.

use std::sync::Arc;

use super::error::At;

/// Where the parts of a configuration stand, in the order of the model.
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

/// Where the parts of a listener stand.
#[derive(Debug)]
pub(super) struct ListenerPositions {
    pub(super) at: At,
    pub(super) target_group: At,
}

/// Where the parts of a target group stand.
#[derive(Debug)]
pub(super) struct GroupPositions {
    pub(super) at: At,
    pub(super) port: At,
    pub(super) forwarding: At,
    pub(super) targets: Vec<At>,
}
