//! PURE: the parts of a configuration that the proxy serves, and the data path does not.

use std::{collections::HashSet, sync::Arc};

use super::{
    document::Document,
    error::Position,
    model::{Config, HttpTarget, HttpTargetGroup, TargetAddress, TargetKey},
    tree::{Node, Value},
};

/// Values of `protocol` of listeners that the proxy serves.
const LISTENERS: [&str; 3] = ["http", "https", "tls"];
/// The one of them whose group is of `tcp`.
const TLS: &str = "tls";
/// Values of `protocol` of target groups that only the proxy reaches.
const GROUPS: [&str; 3] = ["http", "https", "grpc"];

impl Config {
    /// Names of the listeners that the proxy serves; none for a configuration of layer 4 alone.
    pub fn proxied_listeners(&self) -> impl Iterator<Item = &str> {
        let http = self.http_listeners.iter().map(|listener| listener.name.as_str());
        http.chain(self.tls_listeners.iter().map(|listener| listener.name.as_str()))
    }
}

impl HttpTargetGroup {
    /// The key of a target of this group; `None` for one whose address is a name.
    #[must_use]
    pub fn key(&self, target: &HttpTarget) -> Option<TargetKey> {
        match target.address {
            TargetAddress::Ip(address) => {
                Some(TargetKey { group: self.name.clone(), address, port: target.port })
            }
            TargetAddress::Name(_) => None,
        }
    }
}

impl Document {
    /// What the proxy needs of it: the listeners that it serves, the groups that they may use, and the
    /// interfaces, without which no document is valid. Health checks are left out, since the agent makes
    /// them. `None` when there is no such listener.
    #[must_use]
    pub fn for_proxy(&self) -> Option<Self> {
        let listeners = self.0.items("listeners");
        let listeners: Vec<Node> =
            listeners.iter().filter(|one| is(one, &LISTENERS)).cloned().collect();
        if listeners.is_empty() {
            return None;
        }
        let behind_tls: HashSet<&str> =
            listeners.iter().filter(|one| is(one, &[TLS])).filter_map(target_group).collect();
        let groups = self.0.items("target_groups").iter().filter(|group| {
            let name = group.get("name").and_then(Node::as_text);
            is(group, &GROUPS) || name.is_some_and(|name| behind_tls.contains(name))
        });
        let groups: Vec<Node> = groups.map(unchecked).collect();
        let mut document = Node { value: Value::Map(Arc::default()), spot: Position::UNKNOWN };
        let list = |items: Vec<Node>| Node {
            value: Value::List(Arc::new(items)),
            spot: Position::UNKNOWN,
        };
        if let Some(interfaces) = self.0.get("interfaces") {
            document.set("interfaces", interfaces.clone());
        }
        if let Some(defaults) = self.0.get("defaults") {
            document.set("defaults", unchecked(defaults));
        }
        document.set("target_groups", list(groups));
        document.set("listeners", list(listeners));
        Some(Self(document))
    }
}

/// Whether a listener or group has one of these protocols.
fn is(part: &Node, protocols: &[&str]) -> bool {
    let protocol = part.get("protocol").and_then(Node::as_text);
    protocol.is_some_and(|protocol| protocols.contains(&protocol))
}

/// The group that a listener of TLS forwards to.
fn target_group(listener: &Node) -> Option<&str> {
    listener.get("default_action")?.get("forward")?.get("target_group")?.as_text()
}

/// A group, or the defaults of groups, without the health check.
fn unchecked(group: &Node) -> Node {
    let Value::Map(entries) = &group.value else { return group.clone() };
    let entries = entries.iter().filter(|(key, _)| key.as_text() != Some("health_check"));
    Node { value: Value::Map(Arc::new(entries.cloned().collect())), spot: group.spot }
}
