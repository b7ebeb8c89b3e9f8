//! How a driver is graded. What is examined is in `rules`.

use std::time::Duration;

use serde_json::{Map, Value};

/// How a driver is graded.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOptions {
    /// The group that members are created in; it must have no members.
    pub group: String,
    /// A part of the names that no earlier check has used.
    pub run: String,
    /// The digest of the template.
    pub template: String,
    /// The parameters of the template.
    pub parameters: Map<String, Value>,
    /// How long a call may take.
    pub deadline: Duration,
    /// How long a member may take until it runs.
    pub launch_timeout: Duration,
    /// How long it waits before it asks again.
    pub poll_interval: Duration,
    /// When calls are killed, counted from their beginning.
    pub kill_after: Vec<Duration>,
}

impl CheckOptions {
    /// Usual options for a group.
    #[must_use]
    pub fn new(group: &str, run: &str) -> Self {
        Self {
            group: group.to_owned(),
            run: run.to_owned(),
            template: "check".to_owned(),
            parameters: Map::new(),
            deadline: Duration::from_secs(30),
            launch_timeout: Duration::from_mins(5),
            poll_interval: Duration::from_secs(1),
            kill_after: [0, 5, 20, 50, 100, 300].map(Duration::from_millis).into(),
        }
    }
}
