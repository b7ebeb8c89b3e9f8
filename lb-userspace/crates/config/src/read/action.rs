//! The action of a rule, and the default action of a listener of HTTP.

use std::time::Duration;

use lb_rules::{Action, FixedResponse, Forward, Redirect, WeightedGroup, limits};

use crate::{
    positions::GroupReference,
    section::{Entry, Section},
    values,
};

const EXAMPLE: &str = "forward: { target_group: web }";
const WEIGHT: u32 = 1;

/// What is under `action` or `default_action`: one of the actions. `references` gets the target
/// groups that it names.
pub(super) fn action(
    parent: &Section<'_>,
    key: &'static str,
    references: &mut Vec<GroupReference>,
) -> Option<Action> {
    parent.required(key, &format!("{key}: {{ {EXAMPLE} }}"))?;
    let section = parent.section(key)?;
    let given = |key| section.entry(key).map(|_| key);
    let keys: Vec<&str> = [given("forward"), given("redirect"), given("fixed_response")]
        .into_iter()
        .flatten()
        .collect();
    let action = match keys.as_slice() {
        ["forward"] => section.section("forward").and_then(|one| forward(one, references)),
        ["redirect"] => section.section("redirect").and_then(redirect),
        ["fixed_response"] => section.section("fixed_response").and_then(fixed_response),
        [] => {
            let message = format!(
                "has no action: write one of forward, redirect and fixed_response; for example \
                 `{EXAMPLE}`"
            );
            section.findings.error(&section.at, message);
            None
        }
        several => {
            let message = format!("has several actions, {}: leave one", several.join(" and "));
            section.findings.error(&section.at, message);
            None
        }
    };
    section.finish();
    action
}

fn forward(section: Section<'_>, references: &mut Vec<GroupReference>) -> Option<Action> {
    let single = section.entry("target_group");
    let several = section.entry("target_groups");
    let range = *limits::STICKINESS.start()..=*limits::STICKINESS.end();
    let stickiness: Option<Duration> =
        section.read("stickiness", |node| values::seconds(node, range));
    let is_wrong = stickiness.is_none() && section.entry("stickiness").is_some();
    let groups = match (single, several) {
        (Some(entry), None) => {
            let name = section.read("target_group", values::name);
            name.map(|name| vec![refer(name, WEIGHT, &entry, references)])
        }
        (None, Some(_)) => weighted_groups(&section, references),
        (Some(_), Some(entry)) => {
            section.findings.error(&entry.at, "contradicts `target_group`: set only one of them");
            None
        }
        (None, None) => {
            section.required("target_group", "target_group: web");
            None
        }
    };
    section.finish();
    let target_groups = groups.filter(|_| !is_wrong)?;
    Some(Action::Forward(Forward { target_groups, stickiness }))
}

fn weighted_groups(
    forward: &Section<'_>,
    references: &mut Vec<GroupReference>,
) -> Option<Vec<WeightedGroup>> {
    let list = forward.list("target_groups")?;
    let mut groups = Vec::new();
    let mut complete = true;
    for entry in list.entries() {
        let group = Section::new(entry.node, entry.at, forward.findings).and_then(|section| {
            let name = section.require("name", "name: web", values::name);
            let weight = section.read("weight", |node| values::number(node, limits::WEIGHTS));
            let is_wrong = weight.is_none() && section.entry("weight").is_some();
            let entry = section.entry("name");
            section.finish();
            let (name, entry) = name.filter(|_| !is_wrong).zip(entry)?;
            Some(refer(name, weight.unwrap_or(WEIGHT), &entry, references))
        });
        complete &= group.is_some();
        groups.extend(group);
    }
    complete.then_some(groups)
}

fn refer(
    name: String,
    weight: u32,
    entry: &Entry<'_>,
    references: &mut Vec<GroupReference>,
) -> WeightedGroup {
    references.push(GroupReference { name: name.clone(), at: entry.at.clone() });
    WeightedGroup { name, weight }
}

fn redirect(section: Section<'_>) -> Option<Action> {
    let errors = section.findings.count();
    let protocol = section.read("protocol", values::redirect_protocol).flatten();
    let host = section.read("host", values::text);
    let port = section.read("port", values::redirect_port).flatten();
    let path = section.read("path", values::text);
    let query = section.read("query", values::text);
    let status = section.require("status", "status: 301", values::status);
    section.finish_since(errors)?;
    Some(Action::Redirect(Redirect { protocol, host, port, path, query, status: status? }))
}

fn fixed_response(section: Section<'_>) -> Option<Action> {
    let errors = section.findings.count();
    let status = section.require("status", "status: 503", values::status);
    let content_type = section.read("content_type", values::text);
    let body = section.read("body", values::text).unwrap_or_default();
    section.finish_since(errors)?;
    Some(Action::FixedResponse(FixedResponse { status: status?, content_type, body }))
}
