//! Names of targets as people and programs see them. Field names are part of the API.

use std::{net::IpAddr, time::Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::known::Names;

/// A DNS name among the targets of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameView {
    /// It.
    pub name: String,
    /// Its last addresses.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// Why the last lookup failed; empty if it did not.
    pub error: String,
    /// Seconds for which lookups have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub failing_seconds: Option<u64>,
    /// Seconds until it is looked up again; absent while it is looked up for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub next_lookup_seconds: Option<u64>,
    /// Lookups since the agent started.
    pub lookups: u64,
    /// Lookups that failed.
    pub lookups_failed: u64,
}

impl Names {
    /// All names of the configuration.
    pub(crate) fn views(&self, now: Instant) -> Vec<NameView> {
        let view = |followed: lb_dns::FollowedName| {
            let life = followed.life;
            let since = |at: Instant| now.saturating_duration_since(at).as_secs();
            let until = |at: Instant| at.saturating_duration_since(now).as_secs();
            NameView {
                name: followed.name.to_string(),
                addresses: life.addresses().collect(),
                failing_seconds: life.failing_since.map(since),
                next_lookup_seconds: life.next_at.map(until),
                lookups: life.lookups,
                lookups_failed: life.lookups_failed,
                error: life.error,
            }
        };
        self.resolver.views().into_iter().map(view).collect()
    }
}
