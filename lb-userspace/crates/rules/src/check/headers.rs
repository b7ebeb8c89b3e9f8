//! PURE: whether the header changes of a rule can be used.

use super::text;
use crate::{
    error::Problem,
    limits,
    problems::Problems,
    transform::{HeaderChange, HeaderChanges},
};

/// Headers of framing and of the connection (RFC 9110, section 7.6.1), and `Host`, which
/// `host_rewrite` changes.
const PROTECTED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn check(changes: &HeaderChanges, problems: &mut Problems) {
    let count = changes.request.len() + changes.response.len();
    if count > limits::HEADER_CHANGES_MAX {
        let max = limits::HEADER_CHANGES_MAX;
        problems.key("headers", |problems| {
            problems.push(Problem::TooMany { what: "header changes", count, max });
        });
        // A list of any length would take long to compare.
        return;
    }
    problems.key("headers", |problems| {
        problems.key("request", |problems| list(&changes.request, problems));
        problems.key("response", |problems| list(&changes.response, problems));
    });
}

fn list(changes: &[HeaderChange], problems: &mut Problems) {
    let mut decided: Vec<String> = Vec::new();
    let mut removed = 0;
    for change in changes {
        let name = change.name().to_ascii_lowercase();
        let is_double = decided.contains(&name);
        let check = |problems: &mut Problems| {
            one(change, problems);
            if is_double && !matches!(change, HeaderChange::Add { .. }) {
                problems.push(Problem::DuplicateHeader(change.name().to_owned()));
            }
        };
        match change {
            HeaderChange::Set { name, .. } => problems.key("set", |found| found.key(name, check)),
            HeaderChange::Add { name, .. } => problems.key("add", |found| found.key(name, check)),
            HeaderChange::Remove { .. } => {
                problems.key("remove", |problems| problems.item(removed, check));
                removed += 1;
            }
        }
        if !matches!(change, HeaderChange::Add { .. }) {
            decided.push(name);
        }
    }
}

fn one(change: &HeaderChange, problems: &mut Problems) {
    let name = change.name();
    text::header_name(name, limits::HEADER_NAME_MAX, problems);
    if PROTECTED.iter().any(|protected| protected.eq_ignore_ascii_case(name)) {
        problems.push(Problem::ProtectedHeader(name.to_owned()));
    }
    if let HeaderChange::Set { value, .. } | HeaderChange::Add { value, .. } = change {
        let what = "header value";
        text::length(what, value, limits::HEADER_VALUE_MAX, problems);
        text::characters(what, value, |c| !c.is_control() || c == '\t', problems);
        if value.trim() != value {
            let (value, character) = (value.clone(), ' ');
            let what = "outside of header value";
            problems.push(Problem::Character { what, value, character });
        }
    }
}
