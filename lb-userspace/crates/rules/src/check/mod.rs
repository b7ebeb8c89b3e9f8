//! PURE: whether one rule can be used. Every fault is found, not only the first one.

mod action;
mod condition;
mod headers;
mod redirect;
mod text;
mod transform;

use crate::{
    action::Action,
    error::Problem,
    limits,
    rule::{ListenerEnd, Rule},
};

/// The faults of a rule, apart from what it has to do with other rules.
pub(crate) fn rule(rule: &Rule, listener: ListenerEnd) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !limits::PRIORITIES.contains(&rule.priority) {
        problems.push(Problem::Priority(rule.priority));
    }
    condition::check(&rule.conditions, &mut problems);
    transform::check(&rule.transforms, &mut problems);
    headers::check(&rule.headers, &mut problems);
    if rule.actions.len() != 1 {
        problems.push(Problem::Actions(rule.actions.len()));
    }
    for action in &rule.actions {
        action::check(action, listener, &mut problems);
    }
    let forwards = rule.actions.iter().any(|action| matches!(action, Action::Forward(_)));
    let transforms = rule.transforms.url.is_some() || rule.transforms.host.is_some();
    if transforms && !forwards && !rule.actions.is_empty() {
        problems.push(Problem::TransformsWithoutForward);
    }
    problems
}

/// The faults of a default action.
pub(crate) fn default_action(action: &Action, listener: ListenerEnd) -> Vec<Problem> {
    let mut problems = Vec::new();
    action::check(action, listener, &mut problems);
    problems
}
