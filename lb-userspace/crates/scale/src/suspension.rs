//! PURE: which processes of a group are suspended. What each one does is in the rules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A process that people can suspend; the names are those of EC2 Auto Scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Process {
    /// Launching members. While it is suspended, no rule raises the desired capacity, except
    /// limits.
    Launch,
    /// Ending members. While it is suspended, no rule lowers the desired capacity, except limits.
    Terminate,
    /// Replacing members that fail their health checks.
    ReplaceUnhealthy,
    /// Policies that look at metrics.
    AlarmNotification,
    /// Scheduled policies. What is due while it is suspended is not made up for.
    ScheduledActions,
}

/// The suspended processes of a group.
pub type Suspensions = BTreeSet<Process>;
