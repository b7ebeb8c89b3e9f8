//! Rules and requests: the index and a linear scan find the same rule. Rules that are refused are
//! refused without a panic.
#![no_main]

use std::net::IpAddr;

use arbitrary::Arbitrary;
use lb_rules::{
    Action, Condition, Header, HeaderChanges, Index, ListenerEnd, Match, Protocol, QueryValue,
    RequestHead, Rule, RuleSet, Transforms, explain, shadowed,
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Test {
    Host(Vec<String>),
    Path(Vec<String>),
    Method(Vec<String>),
    Header(String, Vec<String>),
    Query(Vec<(Option<String>, String)>),
    SourceIp(Vec<(IpAddr, u8)>),
    HostRegex(Vec<String>),
    PathRegex(Vec<String>),
    HeaderRegex(String, Vec<String>),
}

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: Vec<(&'a str, &'a [u8])>,
    peer: IpAddr,
}

fn condition(test: Test) -> Condition {
    match test {
        Test::Host(values) => Condition::Host(values),
        Test::Path(values) => Condition::Path(values),
        Test::Method(values) => Condition::Method(values),
        Test::Header(name, values) => Condition::Header { name, values },
        Test::Query(values) => {
            let all = values.into_iter().map(|(key, value)| QueryValue { key, value });
            Condition::Query(all.collect())
        }
        Test::SourceIp(all) => {
            let networks = all.into_iter().filter_map(|(address, length)| {
                Some(ipnet::IpNet::new(address, length).ok()?.trunc())
            });
            Condition::SourceIp(networks.collect())
        }
        Test::HostRegex(values) => Condition::HostRegex(values),
        Test::PathRegex(values) => Condition::PathRegex(values),
        Test::HeaderRegex(name, values) => Condition::HeaderRegex { name, values },
    }
}

fuzz_target!(|input: (Vec<(u16, Vec<Test>)>, Vec<Request<'_>>)| {
    let (rules, requests) = input;
    let rules = rules.into_iter().take(8).map(|(priority, tests)| Rule {
        name: format!("rule-{priority}"),
        priority: u32::from(priority),
        conditions: tests.into_iter().take(4).map(condition).collect(),
        transforms: Transforms::default(),
        headers: HeaderChanges::default(),
        actions: vec![Action::forward("web")],
    });
    let listener = ListenerEnd { protocol: Protocol::Http, port: 80 };
    let Ok(rules) = RuleSet::new(rules.collect(), Action::forward("rest"), listener) else {
        return;
    };
    let index = Index::new(rules).expect("an index of rules that were accepted");
    let shadowed: Vec<u32> = shadowed(index.rules()).iter().map(|one| one.rule.priority).collect();
    for request in requests.iter().take(4) {
        let headers: Vec<Header<'_>> =
            request.headers.iter().map(|(name, value)| Header { name, value }).collect();
        let head = RequestHead {
            method: request.method,
            host: request.host,
            path: request.path,
            query: request.query,
            headers: &headers,
            peer: request.peer,
        };
        let expected = explain(index.rules(), &head).matched;
        let found = match index.find(&head) {
            Match::Rule { place, rule } => {
                assert!(!shadowed.contains(&rule.priority), "a rule that never matches matches");
                Some(place)
            }
            Match::Default(_) => None,
        };
        assert_eq!(found, expected, "index and linear scan differ for {request:?}");
    }
});
