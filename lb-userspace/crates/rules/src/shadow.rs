//! PURE: rules that can never match, because an earlier rule matches whatever they do.
//!
//! What is found is right, but not everything is found: regular expressions are compared as texts,
//! and several earlier rules that only together match everything are not recognised.

use ipnet::IpNet;

use crate::{
    matcher::Matcher,
    pattern::Pattern,
    rule::Rule,
    rule_set::{CheckedRule, RuleSet},
};

/// A rule that can never match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadowed<'a> {
    /// This rule.
    pub rule: &'a Rule,
    /// The first of the earlier rules that match every request that it matches.
    pub by: &'a Rule,
}

/// The shadowed rules, in the order in which rules are tried. Compares all pairs.
#[must_use]
pub fn shadowed(rules: &RuleSet) -> Vec<Shadowed<'_>> {
    let rules = rules.checked();
    let one = |(place, later): (usize, &'_ CheckedRule)| {
        let by = rules[..place].iter().find(|earlier| always_matches(earlier, later))?;
        Some((place, by))
    };
    let found = rules.iter().enumerate().filter_map(one);
    found.map(|(place, by)| Shadowed { rule: &rules[place].rule, by: &by.rule }).collect()
}

/// Whether `earlier` matches whenever `later` does: each of its conditions follows from one of
/// `later`.
fn always_matches(earlier: &CheckedRule, later: &CheckedRule) -> bool {
    let follows = |condition: &Matcher| later.matchers.iter().any(|own| covers(condition, own));
    earlier.matchers.iter().all(follows)
}

/// Whether `general` holds whenever `special` does: each value of `special` is covered by one of
/// `general`.
fn covers(general: &Matcher, special: &Matcher) -> bool {
    match (general, special) {
        (Matcher::Host(general), Matcher::Host(special))
        | (Matcher::Path(general), Matcher::Path(special)) => each(special, general, is_wider),
        (Matcher::Method(general), Matcher::Method(special)) => {
            each(special, general, PartialEq::eq)
        }
        (
            Matcher::Header { name: general_name, values: general },
            Matcher::Header { name, values: special },
        ) => general_name == name && each(special, general, is_wider),
        (Matcher::Query(general), Matcher::Query(special)) => {
            each(special, general, is_wider_query)
        }
        (Matcher::SourceIp(general), Matcher::SourceIp(special)) => {
            each(special, general, |general: &IpNet, special| general.contains(special))
        }
        (Matcher::Regex(general), Matcher::Regex(special)) => {
            general.subject == special.subject
                && each(&special.values, &general.values, PartialEq::eq)
        }
        _ => false,
    }
}

fn each<T>(special: &[T], general: &[T], is_wider: impl Fn(&T, &T) -> bool) -> bool {
    special.iter().all(|special| general.iter().any(|general| is_wider(general, special)))
}

fn is_wider(general: &Pattern, special: &Pattern) -> bool {
    general.covers(special)
}

fn is_wider_query(
    general: &(Option<Pattern>, Pattern),
    special: &(Option<Pattern>, Pattern),
) -> bool {
    let key = match (&general.0, &special.0) {
        (None, _) => true,
        (Some(general), Some(special)) => general.covers(special),
        (Some(_), None) => false,
    };
    key && general.1.covers(&special.1)
}
