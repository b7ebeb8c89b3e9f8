//! PURE: where the parts of a configuration stand in its document, and what else is read of them that no plan
//! sees: tags.

use std::sync::Arc;

use super::{
    error::At,
    model::{GroupTags, Tags},
};

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
    pub(super) http_groups: Vec<Arc<HttpGroupPositions>>,
    pub(super) http_listeners: Vec<Arc<ProxyListenerPositions>>,
    pub(super) tls_listeners: Vec<Arc<ProxyListenerPositions>>,
}

/// Positions of the parts of a listener.
#[derive(Debug)]
pub(super) struct ListenerPositions {
    /// Its place in the list of the document.
    pub(super) index: usize,
    pub(super) at: At,
    pub(super) target_group: At,
    pub(super) sorry_target_group: Option<At>,
    pub(super) tags: Tags,
}

/// Positions of the parts of a target group.
#[derive(Debug)]
pub(super) struct GroupPositions {
    /// Its place in the list of the document.
    pub(super) index: usize,
    pub(super) at: At,
    pub(super) port: At,
    pub(super) forwarding: At,
    pub(super) targets: Vec<At>,
    pub(super) names: Vec<At>,
    pub(super) tags: Arc<GroupTags>,
}

/// Positions of the parts of a target group that the proxy reaches.
#[derive(Debug)]
pub(super) struct HttpGroupPositions {
    /// Its place in the list of the document.
    pub(super) index: usize,
    pub(super) at: At,
    pub(super) targets: Vec<At>,
    pub(super) names: Vec<At>,
    pub(super) tags: Arc<GroupTags>,
}

/// Positions of the parts of a listener that the proxy serves.
#[derive(Debug)]
pub(super) struct ProxyListenerPositions {
    /// Its place in the list of the document.
    pub(super) index: usize,
    pub(super) at: At,
    /// The target groups that it names.
    pub(super) references: Vec<GroupReference>,
    pub(super) tags: Tags,
}

/// A target group that is named, and where.
#[derive(Debug)]
pub(super) struct GroupReference {
    pub(super) name: String,
    pub(super) at: At,
}
