//! BodyLimits of requests and responses. Field names are part of the API; see docs/api.md. What `get`
//! and `status` show is [`lb_agent::Snapshot`].

use std::net::IpAddr;

use lb_config::{Change, Difference, Document, TargetAddress};
use lb_plan::GroupImpact;
use lb_store::RevisionHead;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::schema::present_configuration;

/// `POST /v1/target-groups/{group}/targets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetAdd {
    /// Its address, or a DNS name whose addresses become targets.
    #[schema(value_type = String)]
    pub address: TargetAddress,
    /// Its port; default: the group's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    /// Its weight; default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1000)]
    pub weight: Option<u32>,
}

/// `PATCH /v1/target-groups/{group}/targets/{address}`: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
pub struct TargetPatch {
    /// A new weight.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = false, maximum = 1000)]
    pub weight: Option<u32>,
    /// Whether it should drain.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    pub drain: Option<bool>,
}

/// `PATCH /v1/target-groups/{group}/scaling/limits`: at least one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
pub struct CapacityLimits {
    /// The fewest members.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = false, maximum = 1000)]
    pub min: Option<u32>,
    /// The most members.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = false, maximum = 1000)]
    pub max: Option<u32>,
}

/// A value that is not `null`.
fn given<'text, T: Deserialize<'text>, D: Deserializer<'text>>(
    text: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(text).map(Some)
}

/// `GET /v1/config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationView {
    /// Its revision, also in the header `etag`; 0 before the first one, `null` if the agent runs
    /// with `--config`.
    #[schema(required = true)]
    pub revision: Option<u64>,
    /// What is configured, as it was written.
    #[schema(schema_with = present_configuration)]
    pub document: Document,
}

/// `POST /v1/config/preview`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewView {
    /// What differs from the present configuration.
    pub differences: Vec<Difference>,
    /// Effect on the flows of the groups that change.
    pub target_groups: Vec<GroupImpact>,
    /// Listeners that would be left without targets; the change needs `force`.
    pub left_without_targets: Vec<String>,
    /// Open connections that would break; the change needs `force`.
    #[serde(default)]
    #[schema(required = true)]
    pub broken_connections: Vec<String>,
    /// What changes at once in the number of members of scaled groups, for people.
    #[serde(default)]
    #[schema(required = true)]
    pub scaling: Vec<String>,
    /// Objects in service that it leaves out; `PUT /v1/config` needs `prune`.
    #[serde(default)]
    #[schema(required = true)]
    pub left_out: Vec<String>,
    /// Warnings about the configuration.
    pub warnings: Vec<String>,
}

/// `POST /v1/config/changes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartChanges {
    /// The changes, in the order in which they are made.
    #[schema(min_items = 1, max_items = 1000)]
    pub changes: Vec<Change>,
}

/// `GET /v1/revisions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionsView {
    /// The revisions, newest first.
    pub revisions: Vec<RevisionHead>,
    /// Value of `before` for the next request; `null` if there are no older revisions.
    #[schema(required = true)]
    pub next: Option<u64>,
}

/// `GET /v1/revisions/{number}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevisionView {
    /// What is known of it.
    #[serde(flatten)]
    pub head: RevisionHead,
    /// Its configuration, as it was written.
    pub document: Document,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// A line for people, and a line for each warning.
    pub message: String,
    /// The revision that the change made; absent when the configuration did not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize, required = false)]
    pub revision: Option<u64>,
}

/// The reason why the request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A text for people, with a line for each error.
    pub error: String,
}

/// `GET /v1/stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsView {
    /// Traffic of each listener.
    pub listeners: Vec<ListenerTraffic>,
    /// Traffic of each target.
    pub targets: Vec<TargetTraffic>,
    /// Dropped packets by reason, zeros included.
    pub drops: Vec<DropView>,
    /// Other counters, zeros included.
    pub counters: Vec<CounterView>,
    /// Remembered flows now.
    pub remembered_flows: u64,
    /// Maximum number of remembered flows.
    pub remembered_flows_max: u64,
    /// Flows of modes nat and fullnat now.
    #[serde(default)]
    pub translated_flows: u64,
    /// Maximum number of flows of modes nat and fullnat.
    #[serde(default)]
    pub translated_flows_max: u64,
}

/// Traffic of a listener since it was configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListenerTraffic {
    /// Its name.
    pub name: String,
    /// Packets forwarded.
    pub packets: u64,
    /// Bytes of their IP packets as they arrived.
    pub bytes: u64,
}

/// Traffic of a target since it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetTraffic {
    /// Its group.
    pub group: String,
    /// Its address.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: u16,
    /// Packets forwarded to it.
    pub packets: u64,
    /// Bytes of their IP packets as they arrived.
    pub bytes: u64,
}

/// Packets dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DropView {
    /// Its stable name.
    pub reason: String,
    /// Packets.
    pub packets: u64,
    /// Seconds since the last one; absent when none has been dropped since the agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seconds_ago: Option<u64>,
    /// What it means.
    pub help: String,
}

/// One other counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CounterView {
    /// Its stable name.
    pub name: String,
    /// Its value.
    pub value: u64,
    /// What it means.
    pub help: String,
}
