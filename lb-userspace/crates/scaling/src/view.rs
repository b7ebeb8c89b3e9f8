//! PURE: scaled groups, members and activities as people and programs see them. Field names are part
//! of the API.

use std::collections::BTreeMap;

use lb_members::Record;
use lb_scale::{Activity, Moment, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    history::{Recorded, kind_name},
    loads::MinuteOfLoad,
};

/// A scaled group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScaledGroupView {
    /// The name of the target group.
    pub name: String,
    /// Its driver: `exec`, `static` or `webhook`.
    pub driver: String,
    /// The fewest members.
    pub min: u32,
    /// The most members.
    pub max: u32,
    /// The desired capacity.
    pub desired: u32,
    /// Members that take traffic, or would if they were healthy.
    pub in_service: u32,
    /// Members that are being launched.
    pub pending: u32,
    /// Members that drain or are being ended.
    pub terminating: u32,
    /// Members on standby.
    pub standby: u32,
    /// Members of the warm pool.
    pub warm: u32,
    /// The suspended processes.
    pub suspended: Vec<String>,
    /// Its metrics that are sent with `post`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posted_metrics: Vec<String>,
    /// Whether a refresh is in progress.
    pub refreshing: bool,
    /// Whether it has left the configuration, and its members are being ended.
    pub retiring: bool,
    /// Decisions since the agent started.
    pub decisions: u64,
    /// Failed calls of the driver since the agent started.
    pub failed_calls: u64,
}

/// A member of a scaled group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its lifecycle state: `pending`, `pending:wait`, `in-service`, `standby`, `terminating:wait`,
    /// `terminating`, `failed`, or `warm`.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Its address and port, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether its health checks pass.
    pub healthy: bool,
    /// Whether it is protected from scale-in and replacement.
    pub protected: bool,
    /// The digest of its template.
    pub template: String,
    /// Why it ends; empty if it does not.
    pub reason: String,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl MemberView {
    pub(crate) fn of(group: &str, name: &str, record: &Record, healthy: bool) -> Self {
        let state = record.phase.lifecycle().and_then(|state| serde_json::to_value(state).ok());
        let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or("warm");
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            state: state.to_owned(),
            since: shown(&record.since),
            address: record.address.map(|address| address.to_string()),
            healthy,
            protected: record.protected,
            template: record.template.clone(),
            reason: record.cause().map(|cause| cause.to_string()).unwrap_or_default(),
            tags: BTreeMap::new(),
        }
    }
}

/// One change of a group, from its cause to its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivityView {
    /// The group.
    pub group: String,
    /// What it changes: `capacity`, or one member by `launch` or `terminate`.
    pub kind: String,
    /// The member; empty for `capacity`.
    pub member: String,
    /// For `capacity`: the desired capacity before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// For `capacity`: the desired capacity after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// Why.
    pub cause: String,
    /// When it began, RFC 3339.
    pub start: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How much is done, in percent.
    pub progress: u8,
    /// `in progress`, `successful`, `cancelled`, or `failed: ` and the reason.
    pub outcome: String,
}

impl ActivityView {
    pub(crate) fn of(group: &str, recorded: &Recorded) -> Self {
        let group = group.to_owned();
        match recorded {
            Recorded::Capacity(activity) => {
                let Activity { cause, from, to, start, end, progress, outcome } = activity;
                Self {
                    group,
                    kind: "capacity".to_owned(),
                    member: String::new(),
                    from: Some(*from),
                    to: Some(*to),
                    cause: cause.clone(),
                    start: shown(start),
                    end: end.as_ref().map(shown),
                    progress: *progress,
                    outcome: outcome_name(outcome),
                }
            }
            Recorded::Member(activity) => Self {
                group,
                kind: kind_name(activity.kind).to_owned(),
                member: activity.name.clone(),
                from: None,
                to: None,
                cause: activity.cause.clone(),
                start: shown(&activity.start),
                end: activity.end.as_ref().map(shown),
                progress: if activity.outcome == Outcome::InProgress { 0 } else { 100 },
                outcome: outcome_name(&activity.outcome),
            },
        }
    }
}

/// All of a scaled group: the answer to `xelb scale GROUP explain` and `xelb get activities`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScalingView {
    /// The group.
    pub group: ScaledGroupView,
    /// Its members.
    pub members: Vec<MemberView>,
    /// The last decision in words, one fact a line; empty before the first one.
    pub explanation: String,
    /// The last decisions that changed something, in words, newest first.
    pub decisions: Vec<String>,
    /// Activities, newest first.
    pub activities: Vec<ActivityView>,
    /// The load of the last six hours, a minute each, oldest first.
    #[serde(default)]
    pub loads: Vec<MinuteOfLoad>,
}

fn outcome_name(outcome: &Outcome) -> String {
    match outcome {
        Outcome::InProgress => "in progress".to_owned(),
        Outcome::Successful => "successful".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
        Outcome::Failed(reason) => format!("failed: {reason}"),
    }
}

/// Whole seconds of the wall clock.
fn shown(moment: &Moment) -> String {
    format!("{:.0}", moment.wall)
}
