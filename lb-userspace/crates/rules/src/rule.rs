//! PURE: a rule of a listener as it is configured. Not checked here: see `rule_set`.

use crate::{
    action::{Action, Protocol},
    condition::Condition,
    transform::{HeaderChanges, Transforms},
};

/// A rule: what it matches, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for people; unique in its listener.
    pub name: String,
    /// 1 to 50000, unique in its listener. The lowest number is tried first.
    pub priority: u32,
    /// All must hold. One at least: only the default action has none.
    pub conditions: Vec<Condition>,
    /// Changes of URL and host; only with a forward action.
    pub transforms: Transforms,
    /// Changes of headers.
    pub headers: HeaderChanges,
    /// Exactly one. It is a list because that is how ELB's API has it.
    pub actions: Vec<Action>,
}

/// What rules must know of their listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerEnd {
    /// What it speaks with clients.
    pub protocol: Protocol,
    /// Its port.
    pub port: u16,
}
