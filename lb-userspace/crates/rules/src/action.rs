//! PURE: what a rule does with a request, as it is configured.

use std::{fmt, time::Duration};

/// What is done with a request. Each of these ends the processing of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To a target of one of these target groups.
    Forward(Forward),
    /// Answer with another URL.
    Redirect(Redirect),
    /// Answer with this.
    FixedResponse(FixedResponse),
}

impl Action {
    /// Forward to one target group.
    #[must_use]
    pub fn forward(target_group: &str) -> Self {
        let target_groups = vec![WeightedGroup { name: target_group.to_owned(), weight: 1 }];
        Self::Forward(Forward { target_groups, stickiness: None })
    }
}

/// Forward to target groups by weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// One group at least; names differ.
    pub target_groups: Vec<WeightedGroup>,
    /// How long a client stays with its group; `None`: not at all.
    pub stickiness: Option<Duration>,
}

/// A target group of a forward action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedGroup {
    /// Its name.
    pub name: String,
    /// Its share is its weight by the sum of all: 0 to 999.
    pub weight: u32,
}

/// Answer with another URL. Parts that are not set stay as they are in the request.
///
/// `#{protocol}`, `#{host}`, `#{port}`, `#{path}` (without its first `/`) and `#{query}` (without
/// `?`) stand for the parts of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The protocol; `None` is `#{protocol}`.
    pub protocol: Option<Protocol>,
    /// The host: may contain `#{host}`.
    pub host: Option<String>,
    /// The port. `None` is `#{port}`, unless the protocol changes: then it is the protocol's own
    /// port.
    pub port: Option<u16>,
    /// The path, which begins with `/`: may contain `#{host}`, `#{port}` and `#{path}`.
    pub path: Option<String>,
    /// The query without `?`: may contain all placeholders. Empty removes it.
    pub query: Option<String>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// Answer without a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    /// 2XX, 4XX or 5XX.
    pub status: u16,
    /// One of [`CONTENT_TYPES`](crate::limits::CONTENT_TYPES); `None` with an empty body.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

/// What a listener speaks with clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP in clear.
    Http,
    /// HTTP in TLS.
    Https,
}

impl Protocol {
    /// Its port when a URL names none: RFC 9110, sections 4.2.1 and 4.2.2.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}
