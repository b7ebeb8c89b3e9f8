//! PURE: the last document that was checked, from which the next one takes what both share.

use std::sync::Arc;

use super::{
    Document,
    model::{Config, HttpListener, HttpTargetGroup, Listener, TargetGroup, TlsListener},
    positions::{
        GroupPositions, HttpGroupPositions, ListenerPositions, Positions, ProxyListenerPositions,
    },
    tree::Node,
};

/// A document without errors, and what was read from it.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) document: Document,
    pub(super) config: Config,
    pub(super) places: Positions,
}

/// A part of a configuration, and its positions.
type Known<T, P> = Option<(Arc<T>, Arc<P>)>;

impl Last {
    /// What was read from a group, if this is the same one in the same place.
    pub(super) fn group(&self, index: usize, node: &Node) -> Known<TargetGroup, GroupPositions> {
        self.is_known("target_groups", index, node)?;
        find(&self.config.target_groups, &self.places.groups, index, |place| place.index)
    }

    /// The same for a group that the proxy reaches.
    pub(super) fn http_group(
        &self,
        index: usize,
        node: &Node,
    ) -> Known<HttpTargetGroup, HttpGroupPositions> {
        self.is_known("target_groups", index, node)?;
        find(&self.config.http_target_groups, &self.places.http_groups, index, |place| place.index)
    }

    /// What was read from a listener, if this is the same one in the same place.
    pub(super) fn listener(&self, index: usize, node: &Node) -> Known<Listener, ListenerPositions> {
        self.is_known("listeners", index, node)?;
        find(&self.config.listeners, &self.places.listeners, index, |place| place.index)
    }

    /// The same for a listener of HTTP.
    pub(super) fn http_listener(
        &self,
        index: usize,
        node: &Node,
    ) -> Known<HttpListener, ProxyListenerPositions> {
        self.is_known("listeners", index, node)?;
        find(&self.config.http_listeners, &self.places.http_listeners, index, |place| place.index)
    }

    /// The same for a listener of TLS.
    pub(super) fn tls_listener(
        &self,
        index: usize,
        node: &Node,
    ) -> Known<TlsListener, ProxyListenerPositions> {
        self.is_known("listeners", index, node)?;
        find(&self.config.tls_listeners, &self.places.tls_listeners, index, |place| place.index)
    }

    /// Whether groups were read with the same defaults.
    pub(super) fn has_defaults(&self, defaults: Option<&Node>) -> bool {
        self.document.0.get("defaults") == defaults
    }

    fn is_known(&self, list: &str, index: usize, node: &Node) -> Option<()> {
        self.document.0.items(list).get(index)?.is_same_section(node).then_some(())
    }
}

/// The part that stood at a place of the document. Positions are in the order of the document.
fn find<T, P>(
    parts: &[Arc<T>],
    places: &[Arc<P>],
    index: usize,
    index_of: impl Fn(&P) -> usize,
) -> Known<T, P> {
    let found = places.binary_search_by_key(&index, |place| index_of(place)).ok()?;
    Some((Arc::clone(parts.get(found)?), Arc::clone(places.get(found)?)))
}
