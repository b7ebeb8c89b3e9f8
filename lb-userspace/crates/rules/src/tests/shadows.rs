//! Shadowed rules: cases, and that what is found can never match.

use super::rules::{host, path, query, rule, rule_set, strings};
use crate::{Condition, shadowed};

/// A rule with the first conditions comes before one with the second ones.
fn check(earlier: &[Condition], later: &[Condition], expected: bool) {
    let rules = rule_set(vec![rule(1, earlier.to_vec()), rule(2, later.to_vec())]);
    let found: Vec<_> = shadowed(&rules).iter().map(|s| (s.rule.priority, s.by.priority)).collect();
    let expected_pairs: &[(u32, u32)] = if expected { &[(2, 1)] } else { &[] };
    assert_eq!(found, expected_pairs, "{earlier:?} before {later:?}");
}

#[test]
fn a_rule_is_shadowed_by_one_that_always_matches_before() {
    let method = |values: &[&str]| Condition::Method(strings(values));
    let header = |name: &str, value: &str| Condition::Header {
        name: name.to_owned(),
        values: strings(&[value]),
    };
    let regex = |value: &str| Condition::PathRegex(strings(&[value]));
    let networks = |values: &[&str]| {
        Condition::SourceIp(values.iter().map(|value| value.parse().unwrap()).collect())
    };
    let cases: &[(&[Condition], &[Condition], bool)] = &[
        (&[path(&["*"])], &[path(&["/a", "/b*"])], true),
        (&[path(&["*"])], &[host(&["a.com"])], false),
        (&[path(&["/a/*"])], &[path(&["/a/b/*"]), method(&["GET"])], true),
        (&[path(&["/a/*"])], &[path(&["/a/b", "/c"])], false),
        (&[path(&["/a/*", "/c"])], &[path(&["/a/b", "/c"])], true),
        (&[path(&["/a/*"]), method(&["GET"])], &[path(&["/a/b"])], false),
        (&[host(&["*.A.com"])], &[host(&["www.a.COM"])], true),
        (&[host(&["*.a.com"])], &[host(&["a.com"])], false),
        (&[path(&["/A"])], &[path(&["/a"])], false),
        (&[method(&["GET", "PUT"])], &[method(&["PUT"])], true),
        (&[method(&["PUT"])], &[method(&["GET", "PUT"])], false),
        (&[header("X", "a*")], &[header("x", "AB")], true),
        (&[header("x", "a*")], &[header("y", "ab")], false),
        (&[query(None, "1*")], &[query(Some("v"), "12")], true),
        (&[query(Some("v"), "*")], &[query(None, "12")], false),
        (&[query(Some("*"), "\\*")], &[query(Some("v"), "*")], false),
        (&[query(Some("v"), "*")], &[query(Some("V"), "\\*")], true),
        (&[networks(&["10.0.0.0/8"])], &[networks(&["10.1.0.0/16", "10.2.0.1/32"])], true),
        (&[networks(&["10.0.0.0/8"])], &[networks(&["10.1.0.0/16", "11.0.0.0/8"])], false),
        (&[regex("^/a")], &[regex("^/a"), host(&["a.com"])], true),
        (&[regex(".")], &[regex("^/a")], false),
    ];
    for (earlier, later, expected) in cases {
        check(earlier, later, *expected);
    }
}
