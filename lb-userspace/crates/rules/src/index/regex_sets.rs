//! PURE: all regular expressions of a listener, tried at once: one set for hosts, one for paths, and
//! one for each header name.

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::{
    limits,
    matcher::{Matcher, RegexAnswers, RegexCondition, Subject, Subjects},
    regexes,
    rule_set::CheckedRule,
};

/// The sets of a listener, by the numbers that their conditions have.
#[derive(Debug, Default)]
pub(super) struct RegexSets {
    sets: Vec<RegexSet>,
}

/// What a set is made from.
struct Source<'a> {
    subject: &'a Subject,
    values: Vec<&'a str>,
}

impl RegexSets {
    pub(super) fn new(rules: &[CheckedRule]) -> Result<Self, regex::Error> {
        let mut sources: Vec<Source<'_>> = Vec::new();
        for matcher in rules.iter().flat_map(|rule| &rule.matchers) {
            let Matcher::Regex(RegexCondition { subject, values, set, places }) = matcher else {
                continue;
            };
            // Numbers were given in this order.
            if *set == sources.len() {
                sources.push(Source { subject, values: Vec::new() });
            }
            let source = &mut sources[*set];
            for (value, place) in values.iter().zip(places) {
                if *place == source.values.len() {
                    source.values.push(value);
                }
            }
        }
        let sets = sources.iter().map(Source::compile).collect::<Result<_, _>>()?;
        Ok(Self { sets })
    }
}

impl Source<'_> {
    fn compile(&self) -> Result<RegexSet, regex::Error> {
        // Each expression keeps the limit, so the set is within the sum.
        let memory_max = limits::REGEX_MEMORY_MAX.saturating_mul(self.values.len() + 1);
        let mut builder = RegexSetBuilder::new(&self.values);
        builder.case_insensitive(regexes::ignores_case(self.subject)).size_limit(memory_max);
        builder.build()
    }
}

/// The answers for one request: a set is tried when a rule first asks for it.
pub(super) struct Lazy<'a> {
    sets: &'a RegexSets,
    /// By number of a set: which of its expressions match. Empty: not tried yet.
    answers: Vec<Vec<bool>>,
}

impl<'a> Lazy<'a> {
    /// Allocates nothing: most requests ask for no set.
    pub(super) fn new(sets: &'a RegexSets) -> Self {
        Self { sets, answers: Vec::new() }
    }
}

impl RegexAnswers for Lazy<'_> {
    fn any(&mut self, condition: &RegexCondition, subjects: &Subjects<'_>) -> bool {
        if self.answers.is_empty() {
            self.answers = vec![Vec::new(); self.sets.sets.len()];
        }
        let answers = &mut self.answers[condition.set];
        if answers.is_empty() {
            *answers = matches(&self.sets.sets[condition.set], &condition.subject, subjects);
        }
        condition.places.iter().any(|place| answers[*place])
    }
}

/// Of each expression of a set, whether it matches.
fn matches(set: &RegexSet, subject: &Subject, subjects: &Subjects<'_>) -> Vec<bool> {
    let mut answers = vec![false; set.len()];
    let mut apply = |text: &[u8]| {
        for place in &set.matches(text) {
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
