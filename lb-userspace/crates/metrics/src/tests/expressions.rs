//! What is used in PromQL: names of metrics, and the labels of their selectors. Not a parser of it:
//! it knows words, strings and braces.

use std::collections::BTreeSet;

use crate::{
    catalogue::{Head, heads},
    family::Kind,
};

/// Labels that Prometheus adds to every series.
const ADDED: [&str; 2] = ["instance", "job"];

/// Words before a list of labels in parentheses.
const LISTS: [&str; 5] = ["by", "without", "on", "ignoring", "group_left"];

/// Words, and punctuation a character at a time; strings are one token, with their quotes.
fn tokens(expression: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let length = if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// The words at the start of these tokens, up to a closing bracket, each before one of `ends`.
fn labels<'a>(tokens: &[&'a str], closing: &str, ends: &[&str]) -> Vec<&'a str> {
    let inside = tokens.iter().take_while(|token| **token != closing).count() + 1;
    let inside = &tokens[..inside.min(tokens.len())];
    let before_end = inside.windows(2).filter(|pair| ends.contains(&pair[1]));
    before_end.map(|pair| pair[0]).filter(|word| word.starts_with(char::is_alphabetic)).collect()
}

/// Whether a name in an expression is a series of this metric.
fn is_of(token: &str, metric: &Head) -> bool {
    let rest = token.strip_prefix(metric.name);
    let of_histogram = metric.kind == Kind::Histogram
        && rest.is_some_and(|rest| ["_bucket", "_count", "_sum"].contains(&rest));
    of_histogram || rest == Some("")
}

/// What is wrong with an expression: metrics and labels that are not exported. Adds the metrics that
/// it uses to `used`.
pub(super) fn faults(expression: &str, used: &mut BTreeSet<&'static str>) -> Vec<String> {
    let tokens = tokens(expression);
    let mut faults = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::from(ADDED);
    for (at, token) in tokens.iter().enumerate() {
        let family = heads().find(|family| is_of(token, family));
        if token.starts_with("xelb_") && family.is_none() {
            faults.push(format!("there is no metric {token}"));
        }
        let Some(family) = family else {
            continue;
        };
        used.insert(family.name);
        known.extend(family.labels);
        if family.kind == Kind::Histogram {
            known.insert("le");
        }
        if tokens.get(at + 1) == Some(&"{") {
            for label in labels(&tokens[at + 2..], "}", &["=", "!"]) {
                if !family.labels.contains(&label) && !ADDED.contains(&label) {
                    faults.push(format!("{token} has no label {label}"));
                }
            }
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        if LISTS.contains(token) && tokens.get(at + 1) == Some(&"(") {
            for label in labels(&tokens[at + 2..], ")", &[",", ")"]) {
                if !known.contains(label) {
                    faults.push(format!("no metric here has the label {label}"));
                }
            }
        }
    }
    if !tokens.iter().any(|token| token.starts_with("xelb_") || *token == "up") {
        faults.push("it uses no metric of xelb".to_owned());
    }
    faults
}

#[test]
fn wrong_expressions_are_found() {
    let cases: [(&str, &[&str]); 9] = [
        ("up{job=\"xelb\"} == 0", &[]),
        ("sum by (instance, reason) (rate(xelb_dropped_packets_total[5m]))", &[]),
        ("xelb_target_state{state=\"unhealthy\",group=~\"a}.*\"} == 1", &[]),
        ("xelb_target_stat == 1", &["there is no metric xelb_target_stat"]),
        ("xelb_warnings{group=\"web\"}", &["xelb_warnings has no label group"]),
        (
            "xelb_target_state{group!=\"web\", stat=~\"x\"}",
            &["xelb_target_state has no label stat"],
        ),
        ("sum by (zone) (xelb_warnings)", &["no metric here has the label zone"]),
        ("xelb_armed_slots / on (instance, map) up", &["no metric here has the label map"]),
        ("vector(1)", &["it uses no metric of xelb"]),
    ];
    for (expression, expected) in cases {
        assert_eq!(faults(expression, &mut BTreeSet::new()), expected, "{expression}");
    }
}
