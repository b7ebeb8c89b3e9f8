//! What each condition matches: by the index, and by trying rules one by one.

use super::rules::{REQUEST, header, host, path, query, rule, rule_set, strings};
use crate::{Condition, Index, Match, RequestHead, explain};

/// Whether a rule with these conditions matches.
fn check(conditions: &[Condition], request: &RequestHead<'_>, expected: bool) {
    let rules = rule_set(vec![rule(1, conditions.to_vec())]);
    let explanation = explain(&rules, request);
    assert_eq!(explanation.matched.is_some(), expected, "{conditions:?} {request:?}");
    let index = Index::new(rules).unwrap();
    let found = matches!(index.find(request), Match::Rule { .. });
    assert_eq!(found, expected, "index: {conditions:?} {request:?}");
}

#[test]
fn host_ignores_case_port_and_final_dot() {
    let cases = [
        ("example.com", "example.com", true),
        ("EXAMPLE.com", "example.COM:8443", true),
        ("example.com", "example.com.", true),
        ("example.com", "www.example.com", false),
        ("*.example.com", "www.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", true),
        ("*example.com", "notexample.com", true),
        ("www.*", "www.example.org", true),
        ("w?w.example.com", "wow.example.com", true),
        ("w?w.example.com", "ww.example.com", false),
        ("*", "", true),
        ("[2001:db8::1]", "[2001:DB8::1]:443", true),
    ];
    for (value, sent, expected) in cases {
        check(&[host(&[value])], &RequestHead { host: sent, ..REQUEST }, expected);
    }
}

#[test]
fn path_counts_case_and_has_no_query() {
    let cases = [
        ("/order/*", "/order/7", true),
        ("/order/*", "/order/", true),
        ("/order/*", "/order", false),
        ("/order/*", "/Order/7", false),
        ("/order", "/order/7", false),
        ("*.png", "/a/b.png", true),
        ("/a?c", "/abc", true),
        ("/a?c", "/ac", false),
        ("/a/*/c/*", "/a/b/b/c/", true),
        ("/\\*", "/\\x", true),
        ("/*v=1*", "/", false),
    ];
    for (value, sent, expected) in cases {
        check(
            &[path(&[value])],
            &RequestHead { path: sent, query: Some("v=1"), ..REQUEST },
            expected,
        );
    }
}

#[test]
fn method_is_exact() {
    let get_or_put = Condition::Method(strings(&["GET", "PUT"]));
    for (method, expected) in [("GET", true), ("PUT", true), ("get", false), ("GETS", false)] {
        check(std::slice::from_ref(&get_or_put), &RequestHead { method, ..REQUEST }, expected);
    }
}

#[test]
fn header_matches_any_line_without_case() {
    let condition =
        Condition::Header { name: "X-Canary".to_owned(), values: strings(&["Yes*", "1"]) };
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[], false),
        (&[("x-canary", "1")], true),
        (&[("X-CANARY", "yes, really")], true),
        (&[("x-canary", "")], false),
        (&[("x-canary", "no"), ("x-canary", "YES")], true),
        (&[("x-canary2", "1")], false),
    ];
    for (lines, expected) in cases {
        let headers: Vec<_> = lines.iter().map(|(name, value)| header(name, value)).collect();
        check(
            std::slice::from_ref(&condition),
            &RequestHead { headers: &headers, ..REQUEST },
            *expected,
        );
    }
    let empty = Condition::Header { name: "x".to_owned(), values: strings(&[""]) };
    check(&[empty], &RequestHead { headers: &[header("x", "")], ..REQUEST }, true);
}

#[test]
fn query_compares_parameters_without_case() {
    let cases = [
        (Some("v"), "2", Some("v=2"), true),
        (Some("v"), "2", Some("a=1&V=2"), true),
        (Some("v"), "2", Some("v=22"), false),
        (Some("v"), "2", Some("w=2"), false),
        (Some("v"), "2", None, false),
        (Some("v"), "", Some("v"), true),
        (Some("v"), "*", Some("v="), true),
        (None, "yes", Some("any=YES"), true),
        (None, "yes", Some("yes"), false),
        (Some("v*"), "a?c", Some("vers=abc"), true),
        (Some("v"), "\\*", Some("v=*"), true),
        (Some("v"), "\\*", Some("v=x"), false),
        (Some("v"), "\\?\\\\", Some("v=?\\"), true),
    ];
    for (key, value, sent, expected) in cases {
        check(&[query(key, value)], &RequestHead { query: sent, ..REQUEST }, expected);
    }
}

#[test]
fn source_ip_is_the_peer_and_never_a_header() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("::ffff:10.0.0.0/104", "10.0.0.1", true),
        ("2001:db8::/32", "2001:db8::7", true),
        ("2001:db8::/32", "10.0.0.1", false),
        ("0.0.0.0/0", "2001:db8::7", false),
    ];
    let headers = [header("x-forwarded-for", "10.0.0.1")];
    for (network, peer, expected) in cases {
        let condition = Condition::SourceIp(vec![network.parse().unwrap()]);
        let peer = peer.parse().unwrap();
        check(&[condition], &RequestHead { peer, headers: &headers, ..REQUEST }, expected);
    }
}

#[test]
fn regular_expressions_match_anywhere_unless_anchored() {
    let headers = [header("user-agent", "curl/8"), header("User-Agent", "other")];
    let request = RequestHead {
        host: "API7.example.com:80",
        path: "/v2/Users",
        headers: &headers,
        ..REQUEST
    };
    let user_agent =
        |regex| Condition::HeaderRegex { name: "user-agent".to_owned(), values: strings(&[regex]) };
    let cases = [
        (Condition::HostRegex(strings(&["^API[0-9]\\.example\\.com$"])), true),
        (Condition::HostRegex(strings(&["^api$"])), false),
        (Condition::PathRegex(strings(&["v[0-9]"])), true),
        (Condition::PathRegex(strings(&["users"])), false),
        (Condition::PathRegex(strings(&["users", "(?i)users"])), true),
        (user_agent("^oth"), true),
        (user_agent("Curl"), false),
    ];
    for (condition, expected) in cases {
        check(&[condition], &request, expected);
    }
}

#[test]
fn conditions_must_all_hold_and_one_value_is_enough() {
    let both = [host(&["a.com", "b.com"]), path(&["/x", "/y/*"]), path(&["*z"])];
    let cases = [
        ("a.com", "/y/z", true),
        ("b.com", "/y/z", true),
        ("b.com", "/y/", false),
        ("b.com", "/x", false),
        ("c.com", "/y/z", false),
    ];
    for (host, path, expected) in cases {
        check(&both, &RequestHead { host, path, ..REQUEST }, expected);
    }
}

#[test]
fn the_lowest_priority_wins_wherever_it_is_filed() {
    let rules = rule_set(vec![
        rule(40, vec![path(&["/a/b/c"])]),
        rule(30, vec![host(&["www.example.com"])]),
        rule(20, vec![host(&["*.example.com"]), path(&["/a/*"])]),
        rule(10, vec![path(&["*c"]), Condition::Method(strings(&["PUT"]))]),
    ]);
    let index = Index::new(rules).unwrap();
    let cases = [
        ("PUT", "www.example.com", "/a/b/c", Some(10)),
        ("GET", "www.example.com", "/a/b/c", Some(20)),
        ("GET", "www.example.com", "/b", Some(30)),
        ("GET", "other.org", "/a/b/c", Some(40)),
        ("GET", "other.org", "/", None),
    ];
    for (method, host, path, expected) in cases {
        let request = RequestHead { method, host, path, ..REQUEST };
        let priority = match index.find(&request) {
            Match::Rule { rule, .. } => Some(rule.priority),
            Match::Default(_) => None,
        };
        assert_eq!(priority, expected, "{method} {host} {path}");
    }
}

#[test]
fn an_explanation_names_the_first_condition_that_failed() {
    let canary = Condition::Header { name: "x-canary".to_owned(), values: strings(&["1"]) };
    let rules = rule_set(vec![
        rule(10, vec![host(&["example.com"]), path(&["/order/*"])]),
        rule(20, vec![canary]),
        rule(30, vec![query(None, "1")]),
        rule(40, vec![Condition::Method(strings(&["GET"]))]),
        rule(50, vec![path(&["*"])]),
    ]);
    let explanation = explain(&rules, &REQUEST);
    let tried: Vec<String> = explanation.tried.iter().map(ToString::to_string).collect();
    let expected = [
        "rule rule-10 (priority 10): condition 2 (path) does not hold: path is \"/\"",
        "rule rule-20 (priority 20): condition 1 (header) does not hold: there is no header x-canary",
        "rule rule-30 (priority 30): condition 1 (query) does not hold: there is no query",
        "rule rule-40 (priority 40): all conditions hold",
    ];
    assert_eq!(tried, expected);
    assert_eq!(explanation.matched, Some(3));
}
