//! PURE: why a request goes where it goes: the rules one by one, and the first condition that
//! failed. This is also the reference that the index is compared with. It is not made for speed.

use std::fmt;

use crate::{
    action::Action, condition::Condition, matcher::Subjects, regexes::OneByOne,
    request::RequestHead, rule_set::RuleSet,
};

/// The rules that were tried, in their order. The last one matched, unless the default action is
/// taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// The rules that were tried.
    pub tried: Vec<Tried<'a>>,
    /// Place of the rule that matched, in the order of [`RuleSet::rules`]; `None`: the default
    /// action.
    pub matched: Option<usize>,
    /// What is done.
    pub action: Option<&'a Action>,
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried<'a> {
    /// Its name.
    pub rule: &'a str,
    /// Its priority.
    pub priority: u32,
    /// The first condition that failed; `None`: all hold.
    pub failed: Option<Failed<'a>>,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed<'a> {
    /// Its place in the rule, from 0.
    pub place: usize,
    /// The condition.
    pub condition: &'a Condition,
    /// What the request has.
    pub found: String,
}

/// Tries the rules one by one.
#[must_use]
pub fn explain<'a>(rules: &'a RuleSet, request: &RequestHead<'_>) -> Explanation<'a> {
    let host = request.bare_host();
    let subjects = Subjects::new(request, &host);
    let mut tried = Vec::new();
    for (place, checked) in rules.checked().iter().enumerate() {
        let rule = &checked.rule;
        let failed = checked.matchers.iter().position(|m| !m.holds(&subjects, &mut OneByOne));
        let failed = failed.map(|place| {
            let condition = &rule.conditions[place];
            Failed { place, condition, found: found(condition, &subjects) }
        });
        let matched = failed.is_none();
        tried.push(Tried { rule: &rule.name, priority: rule.priority, failed });
        if matched {
            return Explanation { tried, matched: Some(place), action: rule.actions.first() };
        }
    }
    Explanation { tried, matched: None, action: Some(rules.default_action()) }
}

/// What the request has where the condition looks.
fn found(condition: &Condition, subjects: &Subjects<'_>) -> String {
    let request = subjects.request;
    match condition {
        Condition::Host(_) | Condition::HostRegex(_) => format!("host is {:?}", subjects.host),
        Condition::Path(_) | Condition::PathRegex(_) => format!("path is {:?}", request.path),
        Condition::Method(_) => format!("method is {:?}", request.method),
        Condition::SourceIp(_) => format!("source address is {}", request.peer.to_canonical()),
        Condition::Query(_) => match request.query {
            Some(query) => format!("query is {query:?}"),
            None => "there is no query".to_owned(),
        },
        Condition::Header { name, .. } | Condition::HeaderRegex { name, .. } => {
            let lines: Vec<_> = request.header(name).map(String::from_utf8_lossy).collect();
            match lines.as_slice() {
                [] => format!("there is no header {name}"),
                [only] => format!("header {name} is {only:?}"),
                lines => format!("the lines of header {name} are {lines:?}"),
            }
        }
    }
}

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.condition.key();
        write!(f, "condition {} ({key}) does not hold: {}", self.place + 1, self.found)
    }
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} (priority {}): ", self.rule, self.priority)?;
        match &self.failed {
            Some(failed) => failed.fmt(f),
            None => f.write_str("all conditions hold"),
        }
    }
}
