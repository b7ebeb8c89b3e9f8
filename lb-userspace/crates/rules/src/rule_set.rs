//! PURE: the checked rules of a listener, in the order in which they are tried.

use std::collections::HashMap;

use crate::{
    action::Action,
    check,
    error::{Problem, RuleError},
    fault_path::PathStep,
    limits,
    matcher::Matcher,
    regexes,
    rule::{ListenerEnd, Rule},
};

/// The checked rules of a listener and its default action.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<CheckedRule>,
    default_action: Action,
    listener: ListenerEnd,
}

/// A rule without fault, with its conditions ready to be tried.
#[derive(Clone, Debug)]
pub(crate) struct CheckedRule {
    pub(crate) rule: Rule,
    pub(crate) matchers: Vec<Matcher>,
}

impl RuleSet {
    /// Checks all rules. Their order in `rules` has no meaning: the lowest priority is tried first.
    ///
    /// # Errors
    ///
    /// Every fault of every rule.
    pub fn new(
        rules: Vec<Rule>,
        default_action: Action,
        listener: ListenerEnd,
    ) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut fault = |index: Option<usize>, path, problem| {
            let name = index.and_then(|index| rules.get(index)).map(|rule| rule.name.as_str());
            let rule = name.unwrap_or("default").to_owned();
            errors.push(RuleError { rule, index, path, problem });
        };
        for (path, problem) in check::default_action(&default_action, listener).into_found() {
            fault(None, path, problem);
        }
        if rules.len() > limits::RULES_MAX {
            fault(None, Vec::new(), Problem::TooManyRules(rules.len()));
        }
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut priorities: HashMap<u32, usize> = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            for (path, problem) in check::rule(rule, listener).into_found() {
                fault(Some(index), path, problem);
            }
            let key = |key: &str| vec![PathStep::Key(key.to_owned())];
            let first = *names.entry(&rule.name).or_insert(index);
            if first != index {
                fault(Some(index), key("name"), Problem::DuplicateName { other_index: first });
            }
            let other_index = *priorities.entry(rule.priority).or_insert(index);
            if other_index != index
                && let Some(Rule { name, .. }) = rules.get(other_index)
            {
                let (priority, other) = (rule.priority, name.clone());
                let problem = Problem::DuplicatePriority { priority, other, other_index };
                fault(Some(index), key("priority"), problem);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut checked = Vec::with_capacity(rules.len());
        for rule in rules {
            let matchers: Result<_, _> = rule.conditions.iter().map(Matcher::new).collect();
            // Escapes were checked above: no rule is left out here.
            let Ok(matchers) = matchers else { continue };
            checked.push(CheckedRule { rule, matchers });
        }
        checked.sort_by_key(|checked| checked.rule.priority);
        regexes::number(checked.iter_mut().flat_map(|rule| &mut rule.matchers).collect());
        Ok(Self { rules: checked, default_action, listener })
    }

    /// The rules, lowest priority first.
    #[must_use]
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|checked| &checked.rule)
    }

    /// The rule at a place of this order.
    #[must_use]
    pub fn rule(&self, place: usize) -> Option<&Rule> {
        self.rules.get(place).map(|checked| &checked.rule)
    }

    /// What is done with requests that no rule matches.
    #[must_use]
    pub fn default_action(&self) -> &Action {
        &self.default_action
    }

    /// The listener that the rules were checked for.
    #[must_use]
    pub fn listener(&self) -> ListenerEnd {
        self.listener
    }

    pub(crate) fn checked(&self) -> &[CheckedRule] {
        &self.rules
    }
}
