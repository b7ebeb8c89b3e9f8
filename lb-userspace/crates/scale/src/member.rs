//! PURE: a member of a group: a target that exists or is about to. How it is started is not decided
//! here.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Where a member is in its life; the names are those of EC2 Auto Scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// It is being launched.
    Pending,
    /// Its launch hook runs.
    #[serde(rename = "pending:wait")]
    PendingWait,
    /// It takes traffic, or would if it were healthy.
    InService,
    /// People took it out of service; it is kept.
    Standby,
    /// It drains, or its terminate hook runs.
    #[serde(rename = "terminating:wait")]
    TerminatingWait,
    /// It is being ended.
    Terminating,
    /// It has ended.
    Terminated,
    /// It could not be launched.
    Failed,
}

impl Lifecycle {
    /// Whether it takes traffic or soon will: what counts towards the desired capacity.
    #[must_use]
    pub const fn is_capacity(self) -> bool {
        matches!(self, Self::Pending | Self::PendingWait | Self::InService)
    }

    /// Whether its launch has begun and is not complete.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Pending | Self::PendingWait)
    }

    /// Whether it is on its way out.
    #[must_use]
    pub const fn is_terminating(self) -> bool {
        matches!(self, Self::TerminatingWait | Self::Terminating)
    }
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name; xelb chooses it.
    pub name: String,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Since when.
    pub since: Moment,
    /// Whether health checks pass.
    pub healthy: bool,
    /// Whether people protect it from being replaced or chosen for scale-in.
    pub protected: bool,
}

impl Member {
    /// Whether it is in service and healthy.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.lifecycle == Lifecycle::InService && self.healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_names_and_groups() {
        use Lifecycle::*;
        // (state, its name, capacity, pending, terminating)
        let cases = [
            (Pending, "\"pending\"", true, true, false),
            (PendingWait, "\"pending:wait\"", true, true, false),
            (InService, "\"in-service\"", true, false, false),
            (Standby, "\"standby\"", false, false, false),
            (TerminatingWait, "\"terminating:wait\"", false, false, true),
            (Terminating, "\"terminating\"", false, false, true),
            (Terminated, "\"terminated\"", false, false, false),
            (Failed, "\"failed\"", false, false, false),
        ];
        for (state, name, capacity, pending, terminating) in cases {
            assert_eq!(serde_json::to_string(&state).unwrap(), name);
            let groups = (state.is_capacity(), state.is_pending(), state.is_terminating());
            assert_eq!(groups, (capacity, pending, terminating), "{state:?}");
        }
    }
}
