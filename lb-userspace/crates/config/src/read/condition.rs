//! One condition of a rule.

use lb_rules::{Condition, QueryValue};

use crate::{
    section::{Entry, Section, list_of},
    tree::Node,
    values,
};

const KEYS: [&str; 9] = [
    "host",
    "path",
    "method",
    "header",
    "query",
    "source_ip",
    "host_regex",
    "path_regex",
    "header_regex",
];

/// An item of `conditions`: one key, which says what is compared.
pub(super) fn condition(entry: Entry<'_>, rule: &Section<'_>) -> Option<Condition> {
    let section = Section::new(entry.node, entry.at, rule.findings)?;
    let given: Vec<&str> = KEYS.into_iter().filter(|key| section.entry(key).is_some()).collect();
    let condition = match given.as_slice() {
        [key] => of_kind(&section, key),
        [] => {
            let message = "has no condition: write one, such as `path: [\"/order/*\"]`";
            section.findings.error(&section.at, message);
            None
        }
        several => {
            let message =
                format!("has several conditions, {}: make an item of each", list_of(several));
            section.findings.error(&section.at, message);
            None
        }
    };
    section.finish();
    condition
}

fn of_kind(section: &Section<'_>, key: &str) -> Option<Condition> {
    match key {
        "host" => texts(section, "host").map(Condition::Host),
        "path" => texts(section, "path").map(Condition::Path),
        "method" => texts(section, "method").map(Condition::Method),
        "host_regex" => texts(section, "host_regex").map(Condition::HostRegex),
        "path_regex" => texts(section, "path_regex").map(Condition::PathRegex),
        "source_ip" => all(section, "source_ip", values::source).map(Condition::SourceIp),
        "query" => query(section),
        "header" => header(section.section("header")?)
            .map(|(name, values)| Condition::Header { name, values }),
        _ => header(section.section("header_regex")?)
            .map(|(name, values)| Condition::HeaderRegex { name, values }),
    }
}

fn header(section: Section<'_>) -> Option<(String, Vec<String>)> {
    let name = section.require("name", "name: x-canary", values::text);
    section.required("values", "values: [\"1\"]");
    let values = texts(&section, "values");
    section.finish();
    name.zip(values)
}

fn query(section: &Section<'_>) -> Option<Condition> {
    let list = section.list("query")?;
    let mut values = Vec::new();
    let mut complete = true;
    for entry in list.entries() {
        let value = Section::new(entry.node, entry.at, section.findings).and_then(|section| {
            let errors = section.findings.count();
            let key = section.read("key", values::text);
            let value = section.require("value", "value: \"2\"", values::text);
            section.finish_since(errors)?;
            Some(QueryValue { key, value: value? })
        });
        complete &= value.is_some();
        values.extend(value);
    }
    complete.then_some(Condition::Query(values))
}

/// A list of texts; `None` when one of them is none.
pub(super) fn texts(section: &Section<'_>, key: &'static str) -> Option<Vec<String>> {
    all(section, key, values::text)
}

/// What `read` makes of each item of a list; `None` when one of them is wrong.
pub(super) fn all<T>(
    section: &Section<'_>,
    key: &'static str,
    read: impl Fn(&Node) -> Result<T, String>,
) -> Option<Vec<T>> {
    let list = section.list(key)?;
    let mut items = Vec::new();
    let mut complete = true;
    for entry in list.entries() {
        match read(entry.node) {
            Ok(item) => items.push(item),
            Err(message) => {
                section.findings.error(&entry.at, message);
                complete = false;
            }
        }
    }
    complete.then_some(items)
}
