//! PURE: what is wrong with rules: the rule, the fault and what to do.

use crate::{fault_path::PathStep, limits};

/// A fault of a rule. The rules are refused then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {problem}")]
pub struct RuleError {
    /// Name of the rule; `default` is the default action.
    pub rule: String,
    /// Its place among the rules as they were given, from 0; `None` is the default action.
    pub index: Option<usize>,
    /// The part of it that is wrong, in keys of the configuration; empty for the whole.
    pub path: Vec<PathStep>,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Outside 1 to 50000.
    #[error("priority {0} is not between 1 and 50000: choose one of these")]
    Priority(u32),
    /// Two rules have one priority.
    #[error("priority {priority} is that of rule {other}, too: give one of them another priority")]
    DuplicatePriority {
        /// The priority.
        priority: u32,
        /// The rule that has it.
        other: String,
        /// Its place among the rules as they were given, from 0.
        other_index: usize,
    },
    /// Two rules have one name.
    #[error("another rule has the same name: rename one of them")]
    DuplicateName {
        /// Its place among the rules as they were given, from 0.
        other_index: usize,
    },
    /// More rules than the limit.
    #[error(
        "the listener has {0} rules, and {max} are the limit: join rules, or use a second listener",
        max = limits::RULES_MAX
    )]
    TooManyRules(usize),
    /// A rule without condition.
    #[error("it has no condition, and would match every request: add one, or use default_action")]
    NoConditions,
    /// A condition without value.
    #[error("condition {0} has no value, and could never hold: add a value, or remove it")]
    EmptyCondition(&'static str),
    /// More values or wildcards than the limit.
    #[error("its conditions have {count} {what}, and {max} are the limit: make two rules of it")]
    TooMany {
        /// What, in plural.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// No byte at all.
    #[error("{what} is empty: write a value, or remove it")]
    Empty {
        /// Which part.
        what: &'static str,
    },
    /// Longer than the limit.
    #[error("{what} has {length} bytes, and {max} are the limit: shorten it")]
    TooLong {
        /// Which part.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A character that cannot be in such a value.
    #[error(
        "{what} {value:?} has the character {character:?}, which cannot occur there: remove it"
    )]
    Character {
        /// Which part.
        what: &'static str,
        /// Its value.
        value: String,
        /// The character.
        character: char,
    },
    /// A wildcard where none is possible.
    #[error("{what} {value:?} has a wildcard, which is not possible there: write the value out")]
    Wildcard {
        /// Which part.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// A backslash before another character, or at the end.
    #[error("query value {0:?} has a backslash that escapes nothing: write \\*, \\? or \\\\")]
    Escape(String),
    /// A path that no request can have.
    #[error("path {0:?} can match no request: begin it with / or a wildcard")]
    Path(String),
    /// A regular expression that does not compile, or is too big.
    #[error(
        "{what} {regex:?} is not a regular expression that can be used: {reason}; \
        look-around and back references are not possible"
    )]
    Regex {
        /// Which part.
        what: &'static str,
        /// The expression.
        regex: String,
        /// What the compiler says.
        reason: String,
    },
    /// A group that the regular expression does not have.
    #[error(
        "replacement {replace:?} uses group {group}, which regex {regex:?} does not have: \
        add the group, or write $$ for a dollar sign"
    )]
    Group {
        /// The expression.
        regex: String,
        /// The replacement.
        replace: String,
        /// Name or number of the group.
        group: String,
    },
    /// Not exactly one action.
    #[error(
        "it has {0} actions that end it (forward, redirect, fixed_response): leave exactly one"
    )]
    Actions(usize),
    /// A forward action without group.
    #[error("its forward action names no target group: add one")]
    NoTargetGroups,
    /// Too many groups.
    #[error(
        "its forward action has {0} target groups, and {max} are the limit: remove some",
        max = limits::TARGET_GROUPS_MAX
    )]
    TooManyTargetGroups(usize),
    /// The same group twice.
    #[error("target group {0} is named twice: add up the weights")]
    DuplicateTargetGroup(String),
    /// Outside 0 to 999.
    #[error("weight {weight} of target group {group} is not between 0 and 999: scale the weights")]
    Weight {
        /// The group.
        group: String,
        /// Its weight.
        weight: u32,
    },
    /// No group would get a request.
    #[error("all weights are 0, so that no target group gets a request: set one above 0")]
    ZeroWeights,
    /// Outside 1 second to 7 days.
    #[error("stickiness of {0} s is not between 1 and 604800 s: choose a duration between")]
    Stickiness(u64),
    /// Transforms without a target.
    #[error("transforms have no effect without a forward action: remove them")]
    TransformsWithoutForward,
    /// Not a status of this action.
    #[error("{action} cannot have status {status}: use one of {allowed}")]
    Status {
        /// Key of the action.
        action: &'static str,
        /// The status.
        status: u16,
        /// What is possible.
        allowed: &'static str,
    },
    /// From TLS to clear text.
    #[error("it redirects from HTTPS to HTTP, so that requests lose their protection: use https")]
    RedirectToHttp,
    /// Redirect of a request to itself.
    #[error(
        "it redirects every request to its own URL, a loop: change protocol, host, port or path"
    )]
    RedirectLoop,
    /// A placeholder that is not known, or not possible there.
    #[error(
        "{what} {value:?} has the placeholder {placeholder:?}, and only {allowed} can be used \
        there: correct it"
    )]
    Placeholder {
        /// Which part.
        what: &'static str,
        /// Its value.
        value: String,
        /// The placeholder as it is written.
        placeholder: String,
        /// What is possible.
        allowed: &'static str,
    },
    /// A port that nobody can connect to.
    #[error("port 0 cannot be connected to: use 1 to 65535")]
    Port,
    /// The path of a redirect.
    #[error("redirect path {0:?} does not begin with /: put one before it")]
    RedirectPath(String),
    /// Not one of ALB's five.
    #[error(
        "content type {0:?} is not possible: use text/plain, text/css, text/html, \
        application/javascript or application/json"
    )]
    ContentType(String),
    /// A body without content type.
    #[error("its body has no content type: add content_type")]
    NoContentType,
    /// A body where HTTP has none.
    #[error("status {0} has no body: remove the body, or use another status")]
    BodyWithoutContent(u16),
    /// A header that the load balancer sets itself.
    #[error(
        "header {0:?} belongs to the connection or to framing, and cannot be changed: remove it"
    )]
    ProtectedHeader(String),
    /// The same header changed in ways that contradict each other.
    #[error("header {0:?} is set or removed twice: leave one change")]
    DuplicateHeader(String),
}

impl Problem {
    /// An expression that does not compile. The crate draws the expression over several lines; the
    /// last one says what is wrong.
    pub(crate) fn regex(what: &'static str, regex: &str, error: &regex::Error) -> Self {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("error: ").unwrap_or(last).trim_end_matches('.').to_owned();
        Self::Regex { what, regex: regex.to_owned(), reason }
    }
}
