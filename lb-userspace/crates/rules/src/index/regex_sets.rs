//! PURE: all regular expressions of a listener, tried at once: one set for hosts, one for paths,
//! and one for each header name.

use std::collections::{BTreeSet, HashMap};

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::{
    limits,
    matcher::{Matcher, RegexAnswers, Subject, Subjects},
    regexes,
    rule_set::CheckedRule,
};

/// The sets of a listener.
#[derive(Debug, Default)]
pub(super) struct RegexSets {
    sets: HashMap<Subject, Set>,
}

#[derive(Debug)]
struct Set {
    /// Its place among the answers of a request.
    place: usize,
    regexes: RegexSet,
    /// Place of each expression in the set.
    places: HashMap<String, usize>,
}

impl RegexSets {
    pub(super) fn new(rules: &[CheckedRule]) -> Result<Self, regex::Error> {
        let mut sources: HashMap<&Subject, BTreeSet<&String>> = HashMap::new();
        for matcher in rules.iter().flat_map(|rule| &rule.matchers) {
            if let Matcher::Regex { subject, values } = matcher {
                sources.entry(subject).or_default().extend(values);
            }
        }
        let mut sets = HashMap::new();
        for (place, (subject, values)) in sources.into_iter().enumerate() {
            // Each expression keeps the limit, so the set is within the sum.
            let memory_max = limits::REGEX_MEMORY_MAX.saturating_mul(values.len() + 1);
            let mut builder = RegexSetBuilder::new(&values);
            builder.case_insensitive(regexes::ignores_case(subject)).size_limit(memory_max);
            let regexes = builder.build()?;
            let places = values.into_iter().cloned().zip(0..).collect();
            sets.insert(subject.clone(), Set { place, regexes, places });
        }
        Ok(Self { sets })
    }
}

/// The answers for one request: a set is tried when a rule first asks for it.
pub(super) struct Lazy<'a> {
    sets: &'a RegexSets,
    /// By place of a set: which of its expressions match. Empty: not tried yet.
    answers: Vec<Vec<bool>>,
}

impl<'a> Lazy<'a> {
    /// Allocates nothing: most requests ask for no set.
    pub(super) fn new(sets: &'a RegexSets) -> Self {
        Self { sets, answers: Vec::new() }
    }
}

impl RegexAnswers for Lazy<'_> {
    fn any(&mut self, subject: &Subject, values: &[String], subjects: &Subjects<'_>) -> bool {
        let Some(set) = self.sets.sets.get(subject) else { return false };
        if self.answers.is_empty() {
            self.answers = vec![Vec::new(); self.sets.sets.len()];
        }
        let answers = &mut self.answers[set.place];
        if answers.is_empty() {
            *answers = set.answers(subject, subjects);
        }
        let place = |value: &String| set.places.get(value).and_then(|place| answers.get(*place));
        values.iter().filter_map(place).any(|matched| *matched)
    }
}

impl Set {
    fn answers(&self, subject: &Subject, subjects: &Subjects<'_>) -> Vec<bool> {
        let mut answers = vec![false; self.places.len()];
        let mut apply = |text: &[u8]| {
            for place in &self.regexes.matches(text) {
                answers[place] = true;
            }
        };
        match subject {
            Subject::Host => apply(subjects.host.as_bytes()),
            Subject::Path => apply(subjects.request.path.as_bytes()),
            Subject::Header(name) => subjects.request.header(name).for_each(apply),
        }
        answers
    }
}
