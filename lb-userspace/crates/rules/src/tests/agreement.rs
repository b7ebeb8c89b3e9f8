//! PROPERTY: index and linear scan find the same rule.

use std::net::IpAddr;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::rules::{rule, rule_set};
use crate::{Condition, Header, Index, Match, QueryValue, RequestHead, Rule, explain, shadowed};

/// Few letters, so that rules and requests meet.
fn host_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab](\\.[ab]){0,2}",
        "\\*\\.[ab](\\.[ab])?",
        "[ab*?.]{0,4}[ab*?]",
        Just("*".to_owned()),
        Just("**.b".to_owned()),
        Just("A.B".to_owned()),
        Just("[::1]".to_owned()),
    ]
}

fn path_value() -> impl Strategy<Value = String> {
    prop_oneof!["/[ab/]{0,4}", "/[ab/]{0,3}\\*", "[*?/][ab/*?]{0,5}", Just("/**".to_owned())]
}

fn regex_value() -> impl Strategy<Value = String> {
    prop_oneof!["\\^?[ab.]{1,3}\\$?", "[ab]\\+", Just("^$".to_owned()), Just("(?i)A".to_owned())]
}

fn condition() -> impl Strategy<Value = Condition> {
    let name = || select(vec!["x", "Y"]).prop_map(str::to_owned);
    let key = option::of("[vw*]{1,2}");
    let value = prop_oneof!["[ab*?]{0,3}", Just("\\*".to_owned())];
    let query = (key, value).prop_map(|(key, value)| QueryValue { key, value });
    let network = select(vec!["10.0.0.0/8", "10.0.0.1/32", "2001:db8::/32", "::ffff:10.0.0.0/104"]);
    let network = network.prop_map(|network| network.parse().unwrap());
    prop_oneof![
        4 => vec(host_value(), 1..4).prop_map(Condition::Host),
        4 => vec(path_value(), 1..4).prop_map(Condition::Path),
        1 => vec(select(vec!["GET", "PUT"]).prop_map(str::to_owned), 1..3).prop_map(Condition::Method),
        1 => (name(), vec("[ab*?]{0,2}", 1..3))
            .prop_map(|(name, values)| Condition::Header { name, values }),
        1 => vec(query, 1..3).prop_map(Condition::Query),
        1 => vec(network, 1..3).prop_map(Condition::SourceIp),
        1 => vec(regex_value(), 1..3).prop_map(Condition::HostRegex),
        1 => vec(regex_value(), 1..3).prop_map(Condition::PathRegex),
        1 => (name(), vec(regex_value(), 1..3))
            .prop_map(|(name, values)| Condition::HeaderRegex { name, values }),
    ]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let all = vec((1_u32..50_000, vec(condition(), 1..4)), 0..25);
    all.prop_map(|all| {
        let unique: std::collections::BTreeMap<_, _> = all.into_iter().collect();
        unique.into_iter().rev().map(|(priority, conditions)| rule(priority, conditions)).collect()
    })
}

/// A request that owns its texts.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    host: String,
    path: String,
    query: Option<String>,
    headers: Vec<(&'static str, String)>,
    peer: IpAddr,
}

fn request() -> impl Strategy<Value = Request> {
    let host = prop_oneof![
        "[abAB](\\.[ab]){0,3}\\.?(:80)?",
        "[ab.]{0,4}(:)?",
        Just("[::1]:443".to_owned()),
        Just(String::new()),
    ];
    let path = "/[ab/]{0,6}";
    let query = option::of("([vwVW]{0,2}=?[abAB*]{0,3}&?){0,3}");
    let header = (select(vec!["X", "y", "z"]), "[abAB]{0,2}");
    let peers = select(vec!["10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1", "2001:db8::1", "::1"]);
    (select(vec!["GET", "PUT", "get"]), host, path, query, vec(header, 0..4), peers).prop_map(
        |(method, host, path, query, headers, peer)| Request {
            method,
            host,
            path,
            query,
            headers,
            peer: peer.parse().unwrap(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn index_and_linear_scan_find_the_same_rule(
        rules in rules(), requests in vec(request(), 1..8),
    ) {
        let index = Index::new(rule_set(rules)).unwrap();
        let shadowed: Vec<u32> = shadowed(index.rules()).iter().map(|s| s.rule.priority).collect();
        for request in &requests {
            let headers: Vec<Header<'_>> = request
                .headers
                .iter()
                .map(|(name, value)| Header { name, value: value.as_bytes() })
                .collect();
            let head = RequestHead {
                method: request.method,
                host: &request.host,
                path: &request.path,
                query: request.query.as_deref(),
                headers: &headers,
                peer: request.peer,
            };
            let expected = explain(index.rules(), &head).matched;
            let found = match index.find(&head) {
                Match::Rule { place, .. } => Some(place),
                Match::Default(_) => None,
            };
            prop_assert_eq!(found, expected, "{:?}", request);
            // A shadowed rule never matches.
            let priority = found.and_then(|place| index.rules().rule(place)).map(|r| r.priority);
            prop_assert!(priority.is_none_or(|p| !shadowed.contains(&p)), "{:?}", request);
        }
    }
}
