//! PURE: how many regular expressions a document has. Each is compiled when its rule is checked, which
//! takes much longer than to read it.

use super::tree::{Node, Value};

/// Most of them. ALB has 100 rules, with 5 values each.
pub(super) const REGEXES_MAX: usize = 2000;

/// The regular expressions of all rules of all listeners.
pub(super) fn regexes(root: &Node) -> usize {
    let rules = root.items("listeners").iter().flat_map(|listener| listener.items("rules"));
    rules.map(|rule| of_conditions(rule) + of_transforms(rule)).sum()
}

fn of_conditions(rule: &Node) -> usize {
    let of = |condition: &Node| {
        let lists = condition.items("host_regex").len() + condition.items("path_regex").len();
        lists + condition.get("header_regex").map_or(0, |header| header.items("values").len())
    };
    rule.items("conditions").iter().map(of).sum()
}

fn of_transforms(rule: &Node) -> usize {
    match rule.get("transforms").map(|node| &node.value) {
        Some(Value::Map(transforms)) => transforms.len(),
        _ => 0,
    }
}
