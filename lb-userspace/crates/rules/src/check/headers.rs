//! PURE: whether the header changes of a rule can be used.

use super::text;
use crate::{
    error::Problem,
    limits,
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

pub(super) fn check(changes: &HeaderChanges, problems: &mut Vec<Problem>) {
    let count = changes.request.len() + changes.response.len();
    if count > limits::HEADER_CHANGES_MAX {
        let max = limits::HEADER_CHANGES_MAX;
        problems.push(Problem::TooMany { what: "header changes", count, max });
    }
    list(&changes.request, problems);
    list(&changes.response, problems);
}

fn list(changes: &[HeaderChange], problems: &mut Vec<Problem>) {
    let mut decided: Vec<String> = Vec::new();
    for change in changes {
        let name = change.name().to_ascii_lowercase();
        text::header_name(&name, limits::HEADER_NAME_MAX, problems);
        if PROTECTED.contains(&name.as_str()) {
            problems.push(Problem::ProtectedHeader(change.name().to_owned()));
        }
        if let HeaderChange::Set { value, .. } | HeaderChange::Add { value, .. } = change {
            let what = "header value";
            text::length(what, value, limits::HEADER_VALUE_MAX, problems);
            text::characters(what, value, |c| !c.is_control() || c == '\t', problems);
            if value.trim() != value {
                let value = value.clone();
                problems.push(Problem::Character {
                    what: "outside of header value",
                    value,
                    character: ' ',
                });
            }
        }
        if !matches!(change, HeaderChange::Add { .. }) {
            if decided.contains(&name) {
                problems.push(Problem::DuplicateHeader(change.name().to_owned()));
            }
            decided.push(name);
        }
    }
}
