//! The rules of a listener of HTTP: they are read one by one, and checked together.

use lb_rules::{Action, ListenerEnd, PathStep, Problem, Rule, RuleError, RuleSet};

use super::rule::rule;
use crate::{
    error::{At, brief_to},
    positions::GroupReference,
    section::{List, Section},
    tree::Node,
};

/// Longest message of a fault: it repeats values of the configuration.
const MESSAGE_CHARACTERS_MAX: usize = 600;

/// Most rules of which each is compared with all others, to find what never matches.
const COMPARED_MAX: usize = 1000;

/// Reads and checks the rules with the default action. Both have to be there for `listener` to be
/// checked as a whole; `default_action` without one is an error that was reported.
pub(super) fn rules(
    listener: &Section<'_>,
    default_action: Option<&Action>,
    end: Option<ListenerEnd>,
    references: &mut Vec<GroupReference>,
) -> Vec<Rule> {
    let list = listener.list("rules");
    let mut rules = Vec::new();
    // Where each of them stands in the list: those with errors are left out.
    let mut places = Vec::new();
    for (place, entry) in list.iter().flat_map(List::entries).enumerate() {
        if let Some(rule) = rule(entry, listener, references) {
            rules.push(rule);
            places.push(place);
        }
    }
    let Some(end) = end else {
        return rules;
    };
    let placeholder = Action::forward("web");
    let default_action = default_action.unwrap_or(&placeholder).clone();
    let checked = Checked { listener, list: list.as_ref(), places: &places };
    match RuleSet::new(rules.clone(), default_action, end) {
        Ok(set) => checked.shadowed(&set, &rules),
        Err(errors) => errors.iter().for_each(|error| checked.report(error)),
    }
    rules
}

/// The rules that were checked, and where they stand.
struct Checked<'a, 'node> {
    listener: &'a Section<'node>,
    list: Option<&'a List<'node>>,
    places: &'a [usize],
}

impl Checked<'_, '_> {
    fn report(&self, error: &RuleError) {
        let at = match (error.index, &error.problem) {
            (Some(index), _) => self.at(index, &error.path),
            (None, Problem::TooManyRules(_)) => self.list.map(|list| list.at.clone()),
            (None, _) => {
                let entry = self.listener.entry("default_action");
                entry.map(|entry| entry.node.follow(&entry.at, &error.path))
            }
        };
        let at = at.unwrap_or_else(|| self.listener.at.clone());
        let message = match &error.problem {
            Problem::DuplicatePriority { priority, other, other_index } => {
                let whose = self.whose(other, *other_index, "priority");
                format!("priority {priority} is that of {whose}, too: give one of them another")
            }
            Problem::DuplicateName { other_index } => {
                let whose = self.whose(&error.rule, *other_index, "name");
                format!("the name is that of {whose}, too: rename one of them")
            }
            problem => problem.to_string(),
        };
        self.listener.findings.error(&at, brief_to(&message, MESSAGE_CHARACTERS_MAX));
    }

    /// A rule and, in a file, its line.
    fn whose(&self, name: &str, index: usize, key: &str) -> String {
        let at = self.at(index, &[PathStep::Key(key.to_owned())]).unwrap_or_default();
        match at.spot.line {
            0 => format!("rule {name}"),
            line => format!("rule {name} in line {line}"),
        }
    }

    fn at(&self, index: usize, path: &[PathStep]) -> Option<At> {
        let place = *self.places.get(index)?;
        let list = self.list?;
        let node: &Node = list.items().nth(place)?;
        Some(node.follow(&list.place(place, node), path))
    }

    /// Warns of rules that never match.
    fn shadowed(&self, set: &RuleSet, rules: &[Rule]) {
        if rules.len() > COMPARED_MAX {
            return;
        }
        for shadowed in lb_rules::shadowed(set) {
            let index = rules.iter().position(|rule| rule.priority == shadowed.rule.priority);
            let at = index.and_then(|index| self.at(index, &[])).unwrap_or_default();
            let message = format!(
                "rule {} never matches: rule {} (priority {}) matches all that it would; change \
                 their priorities, or remove it",
                shadowed.rule.name, shadowed.by.name, shadowed.by.priority
            );
            self.listener.findings.warn(&at, message);
        }
    }
}
