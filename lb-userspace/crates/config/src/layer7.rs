//! PURE: the parts of a configuration that the proxy serves, and the data path does not.

use std::{collections::HashMap, sync::Arc};

use super::{
    document::Document,
    error::Position,
    model::{Config, HttpGroupProtocol, HttpTarget, HttpTargetGroup, TargetKey},
    tree::{Node, Value},
};

/// Values of `protocol` of listeners that the proxy serves.
const LISTENERS: [&str; 3] = ["http", "https", "tls"];
/// Values of `protocol` of target groups that only the proxy reaches.
const GROUPS: [&str; 3] = ["http", "https", "grpc"];
/// The one of groups that the proxy reaches if they have no mode.
const TCP: &str = "tcp";
/// The weight of members of scaled groups, which is the default of targets.
pub const MEMBER_WEIGHT: u32 = 100;

impl Config {
    /// Names of the listeners that the proxy serves; none for a configuration of layer 4 alone.
    pub fn proxied_listeners(&self) -> impl Iterator<Item = &str> {
        let http = self.http_listeners.iter().map(|listener| listener.name.as_str());
        http.chain(self.tls_listeners.iter().map(|listener| listener.name.as_str()))
    }

    /// The same with the groups that each may forward to, with repetitions.
    pub fn groups_of_proxied(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        let http = self.http_listeners.iter();
        let http =
            http.map(|listener| (listener.name.as_str(), listener.target_groups().collect()));
        let tls = self.tls_listeners.iter();
        http.chain(
            tls.map(|listener| (listener.name.as_str(), vec![listener.target_group.as_str()])),
        )
    }
}

impl HttpTargetGroup {
    /// What happens to requests or connections while it has no target for them.
    #[must_use]
    pub const fn unserved(&self) -> &'static str {
        match self.protocol {
            HttpGroupProtocol::Tcp => "connections to it are reset",
            HttpGroupProtocol::Http | HttpGroupProtocol::Https | HttpGroupProtocol::Grpc => {
                "requests to it get status 503"
            }
        }
    }

    /// The key of a target of this group.
    #[must_use]
    pub fn key(&self, target: &HttpTarget) -> TargetKey {
        TargetKey { group: self.name.clone(), address: target.address, port: target.port }
    }
}

impl Document {
    /// What the proxy needs of it: the listeners that it serves, the groups that they may use, and the
    /// interfaces, without which no document is valid. Health checks are left out, since the agent makes
    /// them, and tags, which are for people. Members of scaled groups and addresses of names are targets, as
    /// `effective` has them, and how groups are scaled is left out. `None` when there is no such listener.
    #[must_use]
    pub fn for_proxy(&self, effective: &Config) -> Option<Self> {
        let listeners = self.0.items("listeners");
        let listeners: Vec<Node> =
            listeners.iter().filter(|one| is(one, &LISTENERS)).map(without_tags).collect();
        if listeners.is_empty() {
            return None;
        }
        let defaults = self.0.get("defaults");
        let groups = self.0.items("target_groups").iter();
        let groups = groups.filter(|group| is(group, &GROUPS) || is_behind_tls(group, defaults));
        let expanded = effective.http_target_groups.iter();
        let expanded = expanded.filter(|one| one.scaling.is_some() || !one.names.is_empty());
        let expanded: HashMap<&str, &HttpTargetGroup> =
            expanded.map(|one| (&*one.name, &**one)).collect();
        let of = |group: &Node| {
            let name = group.get("name").and_then(Node::as_text).unwrap_or_default();
            match expanded.get(name) {
                Some(effective) => with_targets(of_proxy(group), effective),
                None => of_proxy(group),
            }
        };
        let groups: Vec<Node> = groups.map(of).collect();
        let mut document = Node { value: Value::Map(Arc::default()), spot: Position::UNKNOWN };
        let list = |items: Vec<Node>| Node {
            value: Value::List(Arc::new(items)),
            spot: Position::UNKNOWN,
        };
        if let Some(interfaces) = self.0.get("interfaces") {
            document.set("interfaces", interfaces.clone());
        }
        if let Some(defaults) = self.0.get("defaults") {
            document.set("defaults", without(defaults, &["health_check", "scaling"]));
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

/// Whether a group is one of tcp that the proxy connects to: without a mode of its own or by default.
/// `forwarding: null` leaves the default out.
pub(super) fn is_behind_tls(group: &Node, defaults: Option<&Node>) -> bool {
    let has_default = || defaults.is_some_and(|defaults| !defaults.has_no("forwarding"));
    let inherits = || group.get("forwarding").is_none() && has_default();
    is(group, &[TCP]) && group.has_no("forwarding") && !inherits()
}

/// A group without what the agent alone does, and without tags.
fn of_proxy(group: &Node) -> Node {
    without_tags(&without(group, &["health_check", "scaling"]))
}

/// A listener or a group without tags, also of its rules and targets.
fn without_tags(part: &Node) -> Node {
    let mut part = without(part, &["tags"]);
    for list in ["rules", "targets"] {
        if let Some(Node { value: Value::List(items), .. }) = part.get_mut(list)
            && items.iter().any(|item| item.get("tags").is_some())
        {
            *items = Arc::new(items.iter().map(|item| without(item, &["tags"])).collect());
        }
    }
    part
}

/// A section without these keys.
fn without(section: &Node, keys: &[&str]) -> Node {
    let Value::Map(entries) = &section.value else { return section.clone() };
    let is_other = |(key, _): &&(Node, Node)| key.as_text().is_none_or(|key| !keys.contains(&key));
    let entries = entries.iter().filter(is_other).cloned().collect();
    Node { value: Value::Map(Arc::new(entries)), spot: section.spot }
}

/// A group with these targets, and the server name that follows from a name among them.
fn with_targets(mut group: Node, effective: &HttpTargetGroup) -> Node {
    let section = || Node { value: Value::Map(Arc::default()), spot: Position::UNKNOWN };
    let targets = effective.targets.iter().map(|one| {
        let mut target = section();
        target.set("address", Node::text(&one.address.to_string()));
        target.set("port", Node::integer(one.port));
        target.set("weight", Node::integer(one.weight));
        target
    });
    let targets = Value::List(Arc::new(targets.collect()));
    group.set("targets", Node { value: targets, spot: Position::UNKNOWN });
    let name = effective.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    if let (Some(name), false) = (name, effective.names.is_empty()) {
        let mut tls = group.get("tls").cloned().unwrap_or_else(section);
        if matches!(tls.value, Value::Null) {
            tls = section();
        }
        tls.set("server_name", Node::text(name));
        group.set("tls", tls);
    }
    group
}
