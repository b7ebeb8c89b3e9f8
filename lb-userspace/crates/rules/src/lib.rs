//! PURE: which rule a request matches, what follows from it, and which target gets it. Time and
//! randomness come in as values; reading requests and sending answers is done elsewhere.
//!
//! ```
//! use lb_rules::{Action, Condition, Index, ListenerEnd, Match, Protocol, RequestHead, Rule, RuleSet};
//!
//! let rule = Rule {
//!     name: "orders".to_owned(),
//!     priority: 10,
//!     conditions: vec![
//!         Condition::Host(vec!["*.example.com".to_owned()]),
//!         Condition::Path(vec!["/order/*".to_owned()]),
//!     ],
//!     transforms: Default::default(),
//!     headers: Default::default(),
//!     actions: vec![Action::forward("order")],
//! };
//! let listener = ListenerEnd { protocol: Protocol::Https, port: 443 };
//! let rules = RuleSet::new(vec![rule], Action::forward("web"), listener).unwrap();
//! let index = Index::new(rules).unwrap();
//! let request = RequestHead {
//!     method: "GET",
//!     host: "Shop.example.com:443",
//!     path: "/order/7",
//!     query: None,
//!     headers: &[],
//!     peer: "192.0.2.1".parse().unwrap(),
//! };
//! assert!(matches!(index.find(&request), Match::Rule { rule, .. } if rule.name == "orders"));
//! ```
#![forbid(unsafe_code)]

mod action;
mod check;
pub mod choice;
mod condition;
mod error;
mod explain;
mod fault_path;
mod forward;
mod index;
pub mod limits;
mod matcher;
mod pattern;
mod problems;
mod redirect;
mod regexes;
mod request;
mod rewrite;
mod rule;
mod rule_set;
mod shadow;
pub mod sticky;
mod template;
mod transform;
mod url;

#[cfg(test)]
mod tests;

pub use action::{Action, FixedResponse, Forward, Protocol, Redirect, WeightedGroup};
pub use condition::{Condition, QueryValue};
pub use error::{Problem, RuleError};
pub use explain::{Explanation, Failed, Tried, explain};
pub use fault_path::PathStep;
pub use forward::target_group;
pub use index::{Index, Match};
pub use redirect::{RedirectError, location};
pub use request::{Header, RequestHead, bare_host};
pub use rewrite::{RewriteError, Rewriter, Rewritten};
pub use rule::{ListenerEnd, Rule};
pub use rule_set::RuleSet;
pub use shadow::{Shadowed, shadowed};
pub use transform::{HeaderChange, HeaderChanges, Rewrite, Transforms};
pub use url::{UrlError, check_host, check_url};
