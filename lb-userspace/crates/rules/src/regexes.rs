//! PURE: regular expressions of conditions: how they are compiled, and tried one by one.

use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};

use crate::{
    limits,
    matcher::{Matcher, RegexAnswers, RegexCondition, Subject, Subjects},
};

/// Compiles each expression when it is asked for: the plain way, for explanations and tests.
pub(crate) struct OneByOne;

impl RegexAnswers for OneByOne {
    fn any(&mut self, condition: &RegexCondition, subjects: &Subjects<'_>) -> bool {
        let RegexCondition { subject, values, .. } = condition;
        let mut compiled = values.iter().filter_map(|value| compile(subject, value).ok());
        let matches = |regex: Regex| match subject {
            Subject::Host => regex.is_match(subjects.host.as_bytes()),
            Subject::Path => regex.is_match(subjects.request.path.as_bytes()),
            Subject::Header(name) => subjects.request.header(name).any(|line| regex.is_match(line)),
        };
        compiled.any(matches)
    }
}

/// Hosts have no case.
pub(crate) fn ignores_case(subject: &Subject) -> bool {
    matches!(subject, Subject::Host)
}

/// With the settings of `check`, so that a checked expression compiles.
pub(crate) fn compile(subject: &Subject, value: &str) -> Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(value);
    builder.case_insensitive(ignores_case(subject)).size_limit(limits::REGEX_MEMORY_MAX);
    builder.build()
}

/// Gives each subject and each different expression of it a number, from 0.
pub(crate) fn number(matchers: Vec<&mut Matcher>) {
    let mut sets: HashMap<Subject, (usize, HashMap<String, usize>)> = HashMap::new();
    for matcher in matchers {
        let Matcher::Regex(condition) = matcher else { continue };
        let next = sets.len();
        let (set, places) = sets.entry(condition.subject.clone()).or_insert((next, HashMap::new()));
        condition.set = *set;
        let place = |value: &String| {
            let next = places.len();
            *places.entry(value.clone()).or_insert(next)
        };
        condition.places = condition.values.iter().map(place).collect();
    }
}
