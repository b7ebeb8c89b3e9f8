//! PURE: a decision as it is stored: what it was made from, the rule that won, and what was
//! rejected. How it is made is in `decide`, how it reads in `explain`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{limits::Limits, memory::Memory, moment::Moment, sample::Sample, suspension::Process};

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Decision {
    /// When.
    pub at: Moment,
    /// The desired capacity before, in targets.
    pub from: u32,
    /// The desired capacity now.
    pub desired: u32,
    /// The limits now.
    pub limits: Limits,
    /// The rule that won.
    pub rule: Rule,
    /// What each policy saw and asked for.
    pub inputs: Vec<Input>,
    /// Other capacities, and why they were rejected.
    pub rejected: Vec<Rejected>,
    /// What people should look at.
    pub alerts: Vec<Alert>,
    /// Members to replace now, by name.
    pub replace: Vec<String>,
    /// Whether members that are missing may be launched.
    pub launch: bool,
    /// What the next decision is made from.
    pub memory: Memory,
}

/// What a policy saw and asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub policy: String,
    /// Its metric.
    pub metric: String,
    /// The total, or for reports and thresholds the average of a target.
    pub sample: Sample,
    /// What it asks for.
    pub ask: Ask,
}

/// What a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// So many targets' worth of work; the capacity is the next integer.
    Work(f64),
    /// A capacity.
    Capacity(u32),
    /// No change: its metric is not in breach.
    Nothing,
    /// It waits for members that are launching, or for its cooldown.
    Wait,
    /// Its input is not known.
    Unknown,
}

/// The rule that won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The capacity was outside the limits.
    Limits,
    /// A schedule was due.
    Schedule(String),
    /// This policy asked for the largest capacity.
    ScaleOut(String),
    /// All policies agree that fewer are enough; this one asked for the largest capacity.
    ScaleIn(String),
    /// Nothing changes.
    Hold,
}

/// A capacity that was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// The policy that asked for it.
    pub by: String,
    /// The capacity.
    pub capacity: u32,
    /// Why not.
    pub because: Because,
}

/// Why a capacity was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It is outside the limits.
    Limits(Limits),
    /// Another policy asked for as many or more.
    Larger(String),
    /// The work is so near to the capacity that nothing changes.
    Tolerance,
    /// This policy needed more in the scale-in window, in targets' worth of work.
    NeededBefore {
        /// The policy, or who asked.
        by: String,
        /// The most it needed.
        need: f64,
    },
    /// The input of this policy failed.
    Failed(String),
    /// The input of this policy was empty.
    Empty(String),
    /// The samples do not cover a whole scale-in window yet.
    WindowNotFull {
        /// How much of it is missing.
        left: Duration,
    },
    /// Changes are limited for a while.
    Rate,
    /// A process is suspended.
    Suspended(Process),
    /// The group fails open: too few targets are healthy to trust what they say.
    FailsOpen,
    /// Launches have failed repeatedly.
    LaunchesFail {
        /// When launching is tried again.
        retry_in: Duration,
    },
    /// More were asked for, and no member came into service.
    NotGrowing {
        /// For how long.
        waited: Duration,
    },
}

/// What people should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// Launches have failed repeatedly.
    LaunchesFail {
        /// How many in a row.
        failures: u32,
        /// When launching is tried again.
        retry_in: Duration,
    },
    /// More were asked for, and no member came into service.
    NotGrowing {
        /// For how long.
        waited: Duration,
    },
    /// All members fail their health checks at once, so the checks are suspected: none is replaced.
    AllUnhealthy,
    /// The input of a policy failed.
    InputFailed {
        /// The policy.
        policy: String,
        /// The error.
        error: String,
    },
}
