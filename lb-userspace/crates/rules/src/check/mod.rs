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
    problems::Problems,
    rule::{ListenerEnd, Rule},
};

/// The faults of a rule, apart from what it has to do with other rules.
pub(crate) fn rule(rule: &Rule, listener: ListenerEnd) -> Problems {
    let mut problems = Problems::default();
    if !limits::PRIORITIES.contains(&rule.priority) {
        let fault = Problem::Priority(rule.priority);
        problems.key("priority", |problems| problems.push(fault));
    }
    condition::check(&rule.conditions, &mut problems);
    transform::check(&rule.transforms, &mut problems);
    headers::check(&rule.headers, &mut problems);
    problems.key("action", |problems| {
        if rule.actions.len() != 1 {
            problems.push(Problem::Actions(rule.actions.len()));
        }
        for action in &rule.actions {
            action::check(action, listener, problems);
        }
    });
    let forwards = rule.actions.iter().any(|action| matches!(action, Action::Forward(_)));
    let transforms = rule.transforms.url.is_some() || rule.transforms.host.is_some();
    if transforms && !forwards && !rule.actions.is_empty() {
        let fault = Problem::TransformsWithoutForward;
        problems.key("transforms", |problems| problems.push(fault));
    }
    problems
}

/// The faults of a default action.
pub(crate) fn default_action(action: &Action, listener: ListenerEnd) -> Problems {
    let mut problems = Problems::default();
    action::check(action, listener, &mut problems);
    problems
}
