//! One rule of a listener of HTTP. What the types of `lb_rules` do not rule out is checked there.

use lb_rules::{HeaderChange, HeaderChanges, Rewrite, Rule, Transforms};

use super::{
    action::action,
    condition::{condition, texts},
    tags::tags,
};
use crate::{
    positions::GroupReference,
    section::{Entry, Section},
    values,
};

/// Reads a rule; `None` when a part of it cannot be read.
pub(super) fn rule(
    entry: Entry<'_>,
    listener: &Section<'_>,
    references: &mut Vec<GroupReference>,
) -> Option<Rule> {
    let section = Section::new(entry.node, entry.at, listener.findings)?;
    let errors = section.findings.count();
    let name = section.read("name", values::name);
    let range = lb_rules::limits::PRIORITIES;
    let priority = section.require("priority", "priority: 10", |node| values::number(node, range));
    let example = "conditions: [{ path: [\"/order/*\"] }]";
    section.required("conditions", example);
    let mut conditions = Vec::new();
    if let Some(list) = section.list("conditions") {
        conditions.extend(list.entries().filter_map(|entry| condition(entry, &section)));
    }
    let transforms = section.section("transforms").map(transforms);
    let headers = section.section("headers").map(headers);
    let action = action(&section, "action", references);
    // Who shows rules takes them from the document, and nobody else needs their tags.
    let _checked = tags(&section);
    section.finish_since(errors)?;
    let priority = priority?;
    Some(Rule {
        name: name.unwrap_or_else(|| format!("rule-{priority}")),
        priority,
        conditions,
        transforms: transforms?,
        headers: headers?,
        actions: vec![action?],
    })
}

fn transforms(section: Section<'_>) -> Transforms {
    let rewrite = |key| {
        section.entry(key)?;
        let section = section.section(key)?;
        let regex = section.require("regex", "regex: \"^/order/(.*)$\"", values::text);
        let replace = section.require("replace", "replace: /$1", values::text);
        section.finish();
        Some(Rewrite { regex: regex?, replace: replace? })
    };
    let transforms = Transforms { url: rewrite("url_rewrite"), host: rewrite("host_rewrite") };
    section.finish();
    transforms
}

fn headers(section: Section<'_>) -> HeaderChanges {
    let changes = |key| section.section(key).map(header_changes).unwrap_or_default();
    let changes = HeaderChanges { request: changes("request"), response: changes("response") };
    section.finish();
    changes
}

/// `set`, `add` and `remove`, in this order.
fn header_changes(section: Section<'_>) -> Vec<HeaderChange> {
    let set = section.texts("set", |_, node| values::header_value(node));
    let add = section.texts("add", |_, node| values::header_value(node));
    let remove = texts(&section, "remove").unwrap_or_default();
    section.finish();
    let set = set.into_iter().map(|(name, value)| HeaderChange::Set { name, value });
    let add = add.into_iter().map(|(name, value)| HeaderChange::Add { name, value });
    let remove = remove.into_iter().map(|name| HeaderChange::Remove { name });
    set.chain(add).chain(remove).collect()
}
