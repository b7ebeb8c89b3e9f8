//! PURE: how a rule changes a request before it goes to a target, as it is configured.

/// Transforms of a rule. They come after matching, and do not change which rule matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transforms {
    /// Changes `path?query` (only `path` if there is no `?`).
    pub url: Option<Rewrite>,
    /// Changes the `Host` header, in lower case and without port.
    pub host: Option<Rewrite>,
}

/// The first match of a regular expression is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Regular expression without look-around.
    pub regex: String,
    /// Replacement: `$1` to `$9` and `${name}` are groups, `$$` is a dollar sign.
    pub replace: String,
}

/// Header changes of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// On the way to the target.
    pub request: Vec<HeaderChange>,
    /// On the way to the client.
    pub response: Vec<HeaderChange>,
}

/// One change of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderChange {
    /// Replaces all lines of this name, or adds one.
    Set {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
    /// Adds a line.
    Add {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
    /// Removes all lines of this name.
    Remove {
        /// Name.
        name: String,
    },
}

impl HeaderChange {
    /// The header that changes.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Set { name, .. } | Self::Add { name, .. } | Self::Remove { name } => name,
        }
    }
}
