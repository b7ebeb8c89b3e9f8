//! PURE: which objects of a document a selector means, by the tags that are written at them. The document may
//! still be wrong elsewhere.

use std::net::{IpAddr, SocketAddr};

use super::{
    document::{Document, port_of},
    model::Tags,
    part_path::{PartPath, PartStep},
    selector::Selector,
    tree::{Node, Value},
};

/// A kind of objects with tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaggedKind {
    /// Listeners.
    Listener,
    /// Target groups.
    TargetGroup,
    /// Rules, each of a listener.
    Rule,
    /// Targets, each of a group.
    Target,
}

impl TaggedKind {
    /// The list of the document that has them, or their owners.
    const fn list(self) -> &'static str {
        match self {
            Self::Listener | Self::Rule => "listeners",
            Self::TargetGroup | Self::Target => "target_groups",
        }
    }

    /// The list of the owner that has them, if they have one.
    const fn inner_list(self) -> Option<&'static str> {
        match self {
            Self::Listener | Self::TargetGroup => None,
            Self::Rule => Some("rules"),
            Self::Target => Some("targets"),
        }
    }
}

impl Document {
    /// Paths of the objects of a kind whose tags fit, in the order of the document; of rules and targets
    /// only those of this listener or group, if one is named.
    #[must_use]
    pub fn selected(
        &self,
        kind: TaggedKind,
        owner: Option<&str>,
        selector: &Selector,
    ) -> Vec<PartPath> {
        let fits = |object: &&Node| selector.matches(&tags(object));
        let outer = self.0.items(kind.list()).iter();
        let outer = outer.filter_map(|object| {
            let name = object.get("name")?.as_text()?;
            let path = PartPath::of(&[(kind.list(), name)]);
            owner.is_none_or(|owner| owner == name).then_some((object, path))
        });
        let Some(list) = kind.inner_list() else {
            return outer.filter(|(object, _)| fits(object)).map(|(_, path)| path).collect();
        };
        let inner = |(object, path): (&Node, PartPath)| {
            let port = object.get("port").and_then(port_of);
            let chosen = object.items(list).iter().filter(fits);
            let named = chosen.filter_map(|item| item_name(item, port));
            let path = path.with(PartStep::Key(list.to_owned()));
            named.map(|name| path.clone().with(PartStep::Item(name))).collect::<Vec<_>>()
        };
        outer.flat_map(inner).collect()
    }
}

/// The tags of an object, without what is no text.
fn tags(object: &Node) -> Tags {
    let Some(Node { value: Value::Map(entries), .. }) = object.get("tags") else {
        return Tags::new();
    };
    let text = |(key, value): &(Node, Node)| {
        Some((key.as_text()?.to_owned(), value.as_text()?.to_owned()))
    };
    entries.iter().filter_map(text).collect()
}

/// The name of a rule, or its priority; the address of a target, with its port.
fn item_name(item: &Node, port: Option<u16>) -> Option<String> {
    if let Some(name) = item.get("name").and_then(Node::as_text) {
        return Some(name.to_owned());
    }
    if let Some(Node { value: Value::Integer(priority), .. }) = item.get("priority") {
        return Some(priority.to_string());
    }
    let address = item.get("address")?.as_text()?;
    let port = item.get("port").and_then(port_of).or(port);
    Some(match (address.parse::<IpAddr>(), port) {
        (Ok(ip), Some(port)) => SocketAddr::new(ip, port).to_string(),
        (Err(_), Some(port)) => format!("{address}:{port}"),
        (_, None) => address.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"
listeners:
  - { name: web, tags: { env: prod }, rules: [
      { priority: 10, name: orders, tags: { team: shop } },
      { priority: 20, tags: { team: shop } },
      { priority: 30 } ] }
  - { name: old, tags: { env: test }, rules: [ { priority: 10, tags: { team: shop } } ] }
target_groups:
  - name: web
    port: 80
    tags: { env: prod }
    targets:
      - { address: 10.0.1.11, tags: { rack: "12" } }
      - { address: 10.0.1.11, port: 81, tags: { rack: "12" } }
      - { address: "2001:db8::1", tags: { rack: "12", old: "" } }
      - { address: order.example.org, tags: { rack: "12" } }
      - { address: 10.0.1.12, tags: { rack: "13" } }
      - { address: 10.0.1.13 }
  - { name: api, port: 80, targets: [ { address: 10.0.1.11, tags: { rack: "12" } } ] }
"#;

    fn found(kind: TaggedKind, owner: Option<&str>, selector: &str) -> String {
        let document = crate::syntax::document(DOCUMENT).unwrap();
        let paths = document.selected(kind, owner, &selector.parse().unwrap());
        // Each of them leads to one object.
        for path in &paths {
            document.part(path).unwrap();
        }
        paths.iter().map(PartPath::object).collect::<Vec<_>>().join(", ")
    }

    /// A rule without a name is called by its priority, which may be the name of another one.
    #[test]
    fn a_priority_that_is_the_name_of_another_rule_leads_nowhere() {
        let text = "listeners: [{ name: web, rules: [{ priority: 10, name: null, tags: { a: b } }, \
                    { priority: 20, name: \"10\" }] }]";
        let document = crate::syntax::document(text).unwrap();
        let paths = document.selected(TaggedKind::Rule, None, &"a=b".parse().unwrap());
        let error = document.part(&paths[0]).unwrap_err().to_string();
        assert!(error.contains("the name of a rule and the priority of another"), "{error}");
    }

    #[test]
    fn objects_are_found_by_their_tags() {
        use TaggedKind::{Listener, Rule, Target, TargetGroup};
        for (kind, owner, selector, expected) in [
            (Listener, None, "env=prod", "listener web"),
            (Listener, None, "env", "listener web, listener old"),
            (Listener, Some("old"), "env", "listener old"),
            (TargetGroup, None, "env=prod", "target group web"),
            (TargetGroup, None, "!env", "target group api"),
            (Rule, None, "team=shop", "rule web/orders, rule web/20, rule old/10"),
            (Rule, Some("web"), "!team", "rule web/30"),
            (
                Target,
                None,
                "rack=12,!old",
                "target web/10.0.1.11:80, target web/10.0.1.11:81, \
                 target web/order.example.org:80, target api/10.0.1.11:80",
            ),
            (Target, Some("web"), "old", "target web/[2001:db8::1]:80"),
            (Target, None, "rack notin (12)", "target web/10.0.1.12:80, target web/10.0.1.13:80"),
            (Target, None, "rack=14", ""),
            (Target, Some("nobody"), "rack", ""),
        ] {
            assert_eq!(found(kind, owner, selector), expected, "{selector} of {owner:?}");
        }
    }
}
