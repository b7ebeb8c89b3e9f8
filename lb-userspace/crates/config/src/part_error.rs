//! Why a part of a document cannot be created, set, deleted or found.

use thiserror::Error;

/// Why a part cannot be created, set, deleted or found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartError {
    /// It is not there.
    #[error("there is no {object}{known}")]
    Absent {
        /// What.
        object: String,
        /// What is there instead; begins with a space, or is empty.
        known: String,
    },
    /// It is there already.
    #[error("{object} exists already; use `set`, or delete it first")]
    Present {
        /// What.
        object: String,
    },
    /// Several items have this name.
    #[error("{object} is ambiguous: give its port")]
    Ambiguous {
        /// What.
        object: String,
    },
    /// A rule has this name, and another one this priority.
    #[error(
        "{object} is ambiguous: it is the name of a rule and the priority of another; rename the first one"
    )]
    AmbiguousRule {
        /// What.
        object: String,
    },
    /// The path leads through something else.
    #[error("{path} is {found}, not {wanted}")]
    Kind {
        /// The part.
        path: String,
        /// What it is.
        found: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A new item has another name than its path says.
    #[error("the value of {path} has another name or address than its path")]
    OtherName {
        /// The path.
        path: String,
    },
}
