//! PURE: what differs between two documents, for people: one line for each key that was added,
//! removed or changed. Items of lists are identified by their name, by their address and port, or by
//! their priority.
//!
//! It compares what is written: a default that is written out is a difference here, though it has
//! no effect.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    document::Document,
    error::brief,
    tree::{Node, Value},
};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// Path of the key, such as `target_groups[web].targets[10.0.1.11].weight`.
    pub path: String,
    /// The old value; absent if the key was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The new value; absent if the key was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// `+ path: value`, `- path: value` or `~ path: before -> after`.
impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(formatter, "~ {path}: {before} -> {after}"),
            (Some(before), None) => write!(formatter, "- {path}: {before}"),
            (None, Some(after)) => write!(formatter, "+ {path}: {after}"),
            (None, None) => write!(formatter, "  {path}"),
        }
    }
}

impl Document {
    /// Differences in the order of `after`; removed keys are at the end of their section.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        compare("", &self.0, &after.0, &mut found);
        found
    }
}

fn compare(path: &str, before: &Node, after: &Node, found: &mut Vec<Difference>) {
    match (&before.value, &after.value) {
        _ if before.is_same_section(after) => {}
        (Value::Map(former), Value::Map(entries)) => sections(path, former, entries, found),
        (Value::List(former), Value::List(items)) if are_named(former) && are_named(items) => {
            lists(path, former, items, found);
        }
        _ if same(before, after) => {}
        _ => found.push(Difference {
            path: path.to_owned(),
            before: Some(shown(before)),
            after: Some(shown(after)),
        }),
    }
}

fn sections(
    path: &str,
    former: &[(Node, Node)],
    entries: &[(Node, Node)],
    found: &mut Vec<Difference>,
) {
    let under = |key: &Node| {
        let key = brief(key.as_text().unwrap_or_default());
        if path.is_empty() { key } else { format!("{path}.{key}") }
    };
    let of = |entries: &'_ [(Node, Node)], key: &Node| {
        entries.iter().position(|(other, _)| other.as_text() == key.as_text())
    };
    for (key, after) in entries {
        match of(former, key).and_then(|index| former.get(index)) {
            Some((_, before)) => compare(&under(key), before, after, found),
            None => added(&under(key), after, found),
        }
    }
    for (key, before) in former.iter().filter(|(key, _)| of(entries, key).is_none()) {
        removed(&under(key), before, found);
    }
}

fn lists(path: &str, former: &[Node], items: &[Node], found: &mut Vec<Difference>) {
    use std::collections::BTreeMap;

    let mut left: BTreeMap<String, &Node> =
        former.iter().map(|item| (name(item).unwrap_or_default(), item)).collect();
    for item in items {
        let name = name(item).unwrap_or_default();
        let place = format!("{path}[{}]", brief(&name));
        match left.remove(&name) {
            Some(before) => compare(&place, before, item, found),
            None => found.push(Difference { path: place, before: None, after: Some(shown(item)) }),
        }
    }
    for (name, item) in left {
        let path = format!("{path}[{}]", brief(&name));
        found.push(Difference { path, before: Some(shown(item)), after: None });
    }
}

/// A new list of named items is reported item by item.
fn added(path: &str, node: &Node, found: &mut Vec<Difference>) {
    match &node.value {
        Value::List(items) if !items.is_empty() && are_named(items) => {
            lists(path, &[], items, found);
        }
        _ => {
            found.push(Difference {
                path: path.to_owned(),
                before: None,
                after: Some(shown(node)),
            });
        }
    }
}

fn removed(path: &str, node: &Node, found: &mut Vec<Difference>) {
    match &node.value {
        Value::List(items) if !items.is_empty() && are_named(items) => {
            lists(path, items, &[], found);
        }
        _ => {
            found.push(Difference {
                path: path.to_owned(),
                before: Some(shown(node)),
                after: None,
            });
        }
    }
}

/// Whether every item has a name of its own.
fn are_named(items: &[Node]) -> bool {
    let mut names = std::collections::BTreeSet::new();
    items.iter().all(|item| name(item).is_some_and(|name| names.insert(name)))
}

fn name(item: &Node) -> Option<String> {
    let text = |key: &str| item.get(key).map(plain);
    if let Some(name) = text("name") {
        return Some(name);
    }
    if let Some(priority) = text("priority") {
        return Some(priority);
    }
    let address = text("address")?;
    Some(match text("port") {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address,
    })
}

/// Whether two nodes are equal, regardless of their positions. The order of keys says nothing.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len()
                && one.iter().zip(other.iter()).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(entries)) => {
            one.len() == entries.len()
                && one.iter().all(|(key, value)| {
                    let key = key.as_text().unwrap_or_default();
                    other.get(key).is_some_and(|other| same(value, other))
                })
        }
        (one, other) => one == other,
    }
}

/// On one line, as flow style has it.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", plain(key), shown(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        _ => plain(node),
    }
}

fn plain(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => {
            let quiet = |c: char| c.is_ascii_alphanumeric() || "-._/:*".contains(c);
            if !text.is_empty() && text.chars().all(quiet) {
                text.clone()
            } else {
                format!("\"{}\"", brief(text))
            }
        }
        Value::List(_) | Value::Map(_) => node.value.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    fn message_of(before: &str, after: &str) -> Vec<String> {
        let read = |text: &str| super::super::syntax::document(text).unwrap();
        let differences = read(before).differences(&read(after));
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn differences_are_reported_by_name() {
        let web = "target_groups:
  - name: web
    port: 80
    health_check: { protocol: http, interval: 5s }
    targets:
      - { address: 10.0.1.11, weight: 100 }
      - { address: 10.0.1.12 }
      - { address: \"2001:db8::1\", port: 8080 }
";
        for (from, to, expected) in [
            ("interval: 5s", "interval: 5s", &[][..]),
            // The order of keys does not matter.
            ("{ protocol: http, interval: 5s }", "{ interval: 5s, protocol: http }", &[]),
            (
                "interval: 5s",
                "interval: 2s, path: \"/a b\"",
                &[
                    "~ target_groups[web].health_check.interval: 5s -> 2s",
                    "+ target_groups[web].health_check.path: \"/a b\"",
                ],
            ),
            (
                "{ address: 10.0.1.11, weight: 100 }",
                "{ address: 10.0.1.13, weight: 100 }",
                &[
                    "+ target_groups[web].targets[10.0.1.13]: { address: 10.0.1.13, weight: 100 }",
                    "- target_groups[web].targets[10.0.1.11]: { address: 10.0.1.11, weight: 100 }",
                ],
            ),
            (
                "weight: 100",
                "weight: 50",
                &["~ target_groups[web].targets[10.0.1.11].weight: 100 -> 50"],
            ),
            (
                "port: 8080",
                "port: 8081",
                &[
                    "+ target_groups[web].targets[[2001:db8::1]:8081]: \
                     { address: 2001:db8::1, port: 8081 }",
                    "- target_groups[web].targets[[2001:db8::1]:8080]: \
                     { address: 2001:db8::1, port: 8080 }",
                ],
            ),
            ("    port: 80\n", "", &["- target_groups[web].port: 80"]),
            (
                "protocol: http",
                "protocol: [1, x]",
                &["~ target_groups[web].health_check.protocol: http -> [1, x]"],
            ),
        ] {
            assert!(web.contains(from), "{from}");
            assert_eq!(message_of(web, &web.replacen(from, to, 1)), expected, "{from} to {to}");
        }
        let all = message_of("", "interfaces: [eth0]\nlisteners: [{ name: a }, { name: b }]\n");
        let expected =
            ["+ interfaces: [eth0]", "+ listeners[a]: { name: a }", "+ listeners[b]: { name: b }"];
        assert_eq!(all, expected);
        assert_eq!(message_of("listeners: [{ name: a }]", "{}"), ["- listeners[a]: { name: a }"]);
    }

    /// Rules may have no name.
    #[test]
    fn rules_are_reported_by_name_or_priority() {
        let text = "listeners: [{ name: shop, rules: [{ name: a, priority: 1, x: 1 }, { priority: 2, x: 1 \
                    }] }]";
        for (from, to, expected) in [
            ("1, x: 1", "1, x: 2", "~ listeners[shop].rules[a].x: 1 -> 2"),
            ("2, x: 1", "2, x: 2", "~ listeners[shop].rules[2].x: 1 -> 2"),
            (", { priority: 2, x: 1 }", "", "- listeners[shop].rules[2]: { priority: 2, x: 1 }"),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(message_of(text, &text.replacen(from, to, 1)), [expected]);
        }
    }

    /// Lists whose items have the same identity are compared as a whole.
    #[test]
    fn lists_without_names() {
        assert_eq!(
            message_of("interfaces: [a, b]", "interfaces: [b, a]"),
            ["~ interfaces: [a, b] -> [b, a]"]
        );
        let twice = "listeners: [{ name: a }, { name: a }]";
        assert_eq!(
            message_of(twice, "listeners: []"),
            ["~ listeners: [{ name: a }, { name: a }] -> []"]
        );
    }
}
