//! What becomes of a request, as people and programs see it. Field names are part of the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request that is to be explained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpQuestion {
    /// The method, such as `GET`.
    pub method: String,
    /// The URL, such as `https://shop.example/order/7`.
    pub url: String,
    /// Header fields, each `NAME: VALUE`. `Host` replaces the host of the URL.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Address of the client; without it, 127.0.0.1.
    #[serde(default)]
    pub from: Option<String>,
    /// Name of the listener, where the URL does not name one alone.
    #[serde(default)]
    pub listener: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HttpExplainView {
    /// The listener.
    pub listener: String,
    /// The method.
    pub method: String,
    /// The host as rules see it: without port, in lower case; empty if the request is refused.
    pub host: String,
    /// The path as rules see it: normalised; empty if the request is refused.
    pub path: String,
    /// The query as rules see it; `null`: the URL has no `?`.
    pub query: Option<String>,
    /// Address of the client.
    pub from: String,
    /// Why the request is refused before any rule, or why its rule fails; absent if nothing fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The rules that were tried, in their order.
    pub tried: Vec<TriedRule>,
    /// The rule that is taken: `default` is the default action. Absent if the request is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What transforms make of the URL and of `Host`.
    pub transforms: Vec<String>,
    /// Header changes.
    pub headers: Vec<String>,
    /// `forward`, `redirect` or `fixed_response`; absent if the request is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Status of the response, unless a target decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where a redirect leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The target groups that may get the request.
    pub target_groups: Vec<ExplainedGroup>,
    /// Which cookies decide, and what they do; a sentence each.
    pub stickiness: Vec<String>,
    /// The targets of these groups.
    pub targets: Vec<ExplainedTarget>,
    /// What else decides; a sentence each.
    pub notes: Vec<String>,
}

/// A rule that was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriedRule {
    /// Its name.
    pub rule: String,
    /// Its priority.
    pub priority: u32,
    /// The first condition that does not hold; `null`: all hold.
    pub failed: Option<String>,
}

/// A target group that may get the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedGroup {
    /// Its name.
    pub name: String,
    /// Its weight in the action.
    pub weight: u32,
    /// Its part of such requests, 0 to 1.
    pub share: f64,
}

/// A target of such a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedTarget {
    /// Its group.
    pub group: String,
    /// Its address or name, and its port.
    pub target: String,
    /// `initial`, `healthy`, `unhealthy` or `draining`; `unknown` without an agent.
    pub state: String,
    /// Its part of the requests to the group, 0 to 1.
    pub share: f64,
}
