//! PURE: the rule that a request matches, found without trying every rule.
//!
//! Rules are filed by host, then by the literal beginning of their paths. A request looks only into
//! the lists that can hold a match, and tries their rules with the same code as `explain`. The page
//! docs/decisions/rules.md says why that is right, and what it costs.

mod filing;
mod hosts;
mod prefixes;
mod regex_sets;

use crate::{
    action::Action,
    matcher::Subjects,
    request::RequestHead,
    rule::Rule,
    rule_set::{CheckedRule, RuleSet},
};
use hosts::Hosts;
use regex_sets::{Lazy, RegexSets};

/// Place of a rule in the order in which rules are tried.
type Place = u32;

/// The rules of a listener, compiled.
#[derive(Debug)]
pub struct Index {
    rules: RuleSet,
    hosts: Hosts,
    regexes: RegexSets,
}

/// What a request matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// This rule.
    Rule {
        /// Its place in the order of [`RuleSet::rules`].
        place: usize,
        /// The rule.
        rule: &'a Rule,
    },
    /// No rule: this is the default action.
    Default(&'a Action),
}

impl<'a> Match<'a> {
    /// What is done with the request.
    #[must_use]
    pub fn action(&self) -> Option<&'a Action> {
        match self {
            Self::Rule { rule, .. } => rule.actions.first(),
            Self::Default(action) => Some(action),
        }
    }
}

impl Index {
    /// Compiles rules. This takes time by their number; `find` does not.
    ///
    /// # Errors
    ///
    /// Those of the `regex` crate for a set of expressions of which each alone is valid: none is
    /// known.
    pub fn new(rules: RuleSet) -> Result<Self, regex::Error> {
        let mut hosts = Hosts::default();
        for (place, checked) in (0..).zip(rules.checked()) {
            let prefixes = filing::path_prefixes(&checked.matchers);
            for host in filing::host_keys(&checked.matchers) {
                hosts.insert(&host, &prefixes, place);
            }
        }
        hosts.finish();
        let regexes = RegexSets::new(rules.checked())?;
        Ok(Self { rules, hosts, regexes })
    }

    /// The rules that it was made of.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The first rule whose conditions all hold.
    #[must_use]
    pub fn find(&self, request: &RequestHead<'_>) -> Match<'_> {
        self.find_and_count(request).0
    }

    /// The same, and how many rules had conditions tried.
    #[must_use]
    pub fn find_and_count(&self, request: &RequestHead<'_>) -> (Match<'_>, u64) {
        let host = request.bare_host();
        let subjects = Subjects::new(request, &host);
        let mut regexes = Lazy::new(&self.regexes);
        let (mut best, mut tried) = (Place::MAX, 0);
        let rules = self.rules.checked();
        self.hosts.lists(&host, request.path.as_bytes(), |list| {
            best = first_match(list, rules, best, &subjects, &mut regexes, &mut tried);
        });
        let found = match rules.get(best as usize) {
            Some(CheckedRule { rule, .. }) => Match::Rule { place: best as usize, rule },
            None => Match::Default(self.rules.default_action()),
        };
        (found, tried)
    }
}

/// The first rule of a list that matches and is before `best`; `best` without one.
fn first_match(
    list: &[Place],
    rules: &[CheckedRule],
    best: Place,
    subjects: &Subjects<'_>,
    regexes: &mut Lazy<'_>,
    tried: &mut u64,
) -> Place {
    for place in list {
        if *place >= best {
            break;
        }
        let rule = &rules[*place as usize];
        *tried += 1;
        if rule.matchers.iter().all(|matcher| matcher.holds(subjects, regexes)) {
            return *place;
        }
    }
    best
}
