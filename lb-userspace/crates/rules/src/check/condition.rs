//! PURE: whether the conditions of a rule can be used.

use super::text;
use crate::{
    condition::{Condition, QueryValue},
    error::Problem,
    limits,
    matcher::Subject,
    pattern::{Case, Escapes, Pattern},
    problems::Problems,
    regexes,
};

pub(super) fn check(conditions: &[Condition], problems: &mut Problems) {
    problems.key("conditions", |problems| {
        if conditions.is_empty() {
            problems.push(Problem::NoConditions);
        }
        problems.items(conditions, |condition, problems| {
            problems.key(condition.key(), |problems| {
                if condition.is_empty() {
                    problems.push(Problem::EmptyCondition(condition.key()));
                }
                one(condition, problems);
            });
        });
        let values = conditions.iter().map(Condition::len).sum();
        at_most("values", values, limits::CONDITION_VALUES_MAX, problems);
        let wildcards = conditions.iter().map(wildcards).sum();
        at_most("wildcards", wildcards, limits::WILDCARDS_MAX, problems);
    });
}

fn at_most(what: &'static str, count: usize, max: usize, problems: &mut Problems) {
    if count > max {
        problems.push(Problem::TooMany { what, count, max });
    }
}

fn one(condition: &Condition, problems: &mut Problems) {
    match condition {
        Condition::Host(values) => problems.items(values, |value, found| host(value, found)),
        Condition::Path(values) => problems.items(values, |value, found| path(value, found)),
        Condition::Method(values) => problems.items(values, |value, found| method(value, found)),
        Condition::Header { name, values } => {
            header_name(name, problems);
            problems.key("values", |problems| {
                problems.items(values, |value, problems| {
                    text::length("header value", value, limits::VALUE_MAX, problems);
                    text::characters("header value", value, |c| !c.is_control(), problems);
                });
            });
        }
        Condition::Query(values) => problems.items(values, query),
        Condition::SourceIp(_) => {}
        Condition::HostRegex(values) => regexes("host_regex", &Subject::Host, values, problems),
        Condition::PathRegex(values) => regexes("path_regex", &Subject::Path, values, problems),
        Condition::HeaderRegex { name, values } => {
            header_name(name, problems);
            let subject = Subject::Header(name.clone());
            problems.key("values", |problems| regexes("header_regex", &subject, values, problems));
        }
    }
}

fn header_name(name: &str, problems: &mut Problems) {
    problems.key("name", |problems| text::header_name(name, limits::HEADER_NAME_MAX, problems));
}

fn host(value: &str, problems: &mut Problems) {
    text::size("host", value, limits::VALUE_MAX, problems);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._*?[:]".contains(c);
    text::characters("host", value, is_allowed, problems);
    if value.contains(':') && !value.contains(['[', ']']) {
        let character = ':';
        problems.push(Problem::Character { what: "host", value: value.to_owned(), character });
    }
    if value.ends_with('.') {
        // Requests are compared without it.
        let character = '.';
        problems.push(Problem::Character {
            what: "end of host",
            value: value.to_owned(),
            character,
        });
    }
}

fn path(value: &str, problems: &mut Problems) {
    text::size("path", value, limits::VALUE_MAX, problems);
    text::characters("path", value, |c| c.is_ascii_graphic() && c != '#', problems);
    if !value.is_empty() && !value.starts_with(['/', '*', '?']) {
        problems.push(Problem::Path(value.to_owned()));
    }
}

fn method(value: &str, problems: &mut Problems) {
    text::size("method", value, limits::METHOD_MAX, problems);
    if value.contains(['*', '?']) {
        problems.push(Problem::Wildcard { what: "method", value: value.to_owned() });
    } else {
        // As ALB: other tokens are possible in HTTP, but nobody uses them.
        let is_allowed = |c: char| c.is_ascii_uppercase() || c == '-' || c == '_';
        text::characters("method", value, is_allowed, problems);
    }
}

fn query(value: &QueryValue, problems: &mut Problems) {
    let parts =
        [("key", "query key", value.key.as_ref()), ("value", "query value", Some(&value.value))];
    for (key, what, part) in parts {
        let Some(part) = part else { continue };
        problems.key(key, |problems| {
            text::length(what, part, limits::VALUE_MAX, problems);
            text::characters(what, part, |c| c.is_ascii_graphic() && c != '#', problems);
            if Pattern::new(part, Escapes::Yes, Case::Folded).is_err() {
                problems.push(Problem::Escape(part.clone()));
            }
        });
    }
}

fn regexes(what: &'static str, subject: &Subject, values: &[String], problems: &mut Problems) {
    problems.items(values, |value, problems| {
        text::size(what, value, limits::CONDITION_REGEX_MAX, problems);
        if value.len() > limits::CONDITION_REGEX_MAX {
            // It would take long to compile.
            return;
        }
        if let Err(error) = regexes::compile(subject, value) {
            problems.push(Problem::regex(what, value, &error));
        }
    });
}

/// Number of `*` and `?` of a condition.
fn wildcards(condition: &Condition) -> usize {
    let count = |text: &String, escapes| {
        Pattern::new(text, escapes, Case::Counts).map_or(0, |pattern| pattern.wildcards())
    };
    match condition {
        Condition::Host(values) | Condition::Path(values) | Condition::Header { values, .. } => {
            values.iter().map(|value| count(value, Escapes::No)).sum()
        }
        Condition::Query(values) => {
            let parts = values.iter().flat_map(|value| value.key.iter().chain([&value.value]));
            parts.map(|part| count(part, Escapes::Yes)).sum()
        }
        _ => 0,
    }
}
