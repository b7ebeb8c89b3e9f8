//! PURE: what a listener does with characters of a path that servers read in different ways.

/// What `%2F` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodedSlashPolicy {
    /// It stays, and separates no segments.
    #[default]
    Keep,
    /// It becomes `/`.
    Decode,
    /// The request is refused.
    Refuse,
}

/// What `//` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DoubleSlashPolicy {
    /// It stays, with an empty segment.
    #[default]
    Keep,
    /// It becomes `/`.
    Merge,
    /// The request is refused.
    Refuse,
}

/// What happens to `;`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SemicolonPolicy {
    /// It stays. A segment that is `.` or `..` before it is refused.
    #[default]
    Keep,
    /// The request is refused.
    Refuse,
}

/// What `\` and `%5C` become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackslashPolicy {
    /// Both become `%5C`, which separates no segments.
    #[default]
    Keep,
    /// Both become `/`, as in browsers.
    Slash,
    /// The request is refused.
    Refuse,
}

/// The policy of a listener. By default nothing that may be of use is refused or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UriPolicy {
    /// `%2F`.
    pub encoded_slash: EncodedSlashPolicy,
    /// `//`.
    pub double_slash: DoubleSlashPolicy,
    /// `;`.
    pub semicolon: SemicolonPolicy,
    /// `\` and `%5C`.
    pub backslash: BackslashPolicy,
}
