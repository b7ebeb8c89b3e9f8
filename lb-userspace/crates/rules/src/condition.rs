//! PURE: the conditions of a rule as they are configured. Not checked here: see `check`.

use ipnet::IpNet;

/// One condition. All conditions of a rule must hold; one of the values of a condition is enough.
///
/// In values, `*` stands for any number of bytes, also none, and `?` for exactly one byte. Regular
/// expressions have no look-around, and match anywhere unless they have `^` and `$`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The host, without port and final dot. Upper and lower case are the same.
    Host(Vec<String>),
    /// The path, without query. Case counts.
    Path(Vec<String>),
    /// The method. Case counts; no wildcards.
    Method(Vec<String>),
    /// Any of the lines of a header. Upper and lower case are the same.
    Header {
        /// Name of the header; no wildcards.
        name: String,
        /// Values.
        values: Vec<String>,
    },
    /// Any parameter of the query.
    Query(Vec<QueryValue>),
    /// The address of the peer: of the connection or of its PROXY header, never of
    /// `X-Forwarded-For`.
    SourceIp(Vec<IpNet>),
    /// Regular expressions for the host. Upper and lower case are the same.
    HostRegex(Vec<String>),
    /// Regular expressions for the path. Case counts.
    PathRegex(Vec<String>),
    /// Regular expressions for any of the lines of a header. Case counts, unless `(?i)` is set.
    HeaderRegex {
        /// Name of the header; no wildcards.
        name: String,
        /// Regular expressions.
        values: Vec<String>,
    },
}

impl Condition {
    /// Its key in the configuration.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Path(_) => "path",
            Self::Method(_) => "method",
            Self::Header { .. } => "header",
            Self::Query(_) => "query",
            Self::SourceIp(_) => "source_ip",
            Self::HostRegex(_) => "host_regex",
            Self::PathRegex(_) => "path_regex",
            Self::HeaderRegex { .. } => "header_regex",
        }
    }

    /// Number of its values.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Host(values)
            | Self::Path(values)
            | Self::Method(values)
            | Self::HostRegex(values)
            | Self::PathRegex(values)
            | Self::Header { values, .. }
            | Self::HeaderRegex { values, .. } => values.len(),
            Self::Query(values) => values.len(),
            Self::SourceIp(networks) => networks.len(),
        }
    }

    /// Whether it has no value, and so could never hold.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A value of a `query` condition. Parameters are compared as the URI has them, without decoding
/// them again; upper and lower case are the same. `\*`, `\?` and `\\` stand for the character
/// itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryValue {
    /// Name of the parameter; `None` for any.
    pub key: Option<String>,
    /// Its value. A parameter without `=` has the empty value.
    pub value: String,
}
