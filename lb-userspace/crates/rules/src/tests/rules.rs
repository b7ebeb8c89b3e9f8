//! Rules and requests for tests.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    Action, Condition, Header, HeaderChanges, ListenerEnd, Protocol, QueryValue, RequestHead, Rule,
    RuleSet, Transforms,
};

pub(crate) const HTTPS: ListenerEnd = ListenerEnd { protocol: Protocol::Https, port: 443 };
pub(crate) const HTTP: ListenerEnd = ListenerEnd { protocol: Protocol::Http, port: 80 };

/// A request for `/` of example.com.
pub(crate) const REQUEST: RequestHead<'static> = RequestHead {
    method: "GET",
    host: "example.com",
    path: "/",
    query: None,
    headers: &[],
    peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
};

pub(crate) fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name, value: value.as_bytes() }
}

pub(crate) fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

pub(crate) fn host(values: &[&str]) -> Condition {
    Condition::Host(strings(values))
}

pub(crate) fn path(values: &[&str]) -> Condition {
    Condition::Path(strings(values))
}

pub(crate) fn query(key: Option<&str>, value: &str) -> Condition {
    Condition::Query(vec![QueryValue { key: key.map(str::to_owned), value: value.to_owned() }])
}

/// A rule `rule-<priority>` that forwards to group `web`.
pub(crate) fn rule(priority: u32, conditions: Vec<Condition>) -> Rule {
    Rule {
        name: format!("rule-{priority}"),
        priority,
        conditions,
        transforms: Transforms::default(),
        headers: HeaderChanges::default(),
        actions: vec![Action::forward("web")],
    }
}

pub(crate) fn rule_set(rules: Vec<Rule>) -> RuleSet {
    RuleSet::new(rules, Action::forward("rest"), HTTPS).unwrap()
}
