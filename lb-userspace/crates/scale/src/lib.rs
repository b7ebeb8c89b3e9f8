//! PURE: how many targets a group should have: scaling policies, the decision, replay of recorded
//! histories, and a simulator. docs/decisions/scaling.md explains the rules.
//!
//! It neither starts nor ends targets: `lb_members` and drivers do that.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use lb_scale::{CheckedSettings, Moment, Reading, Samples, Settings, State, decide, explain};
//!
//! let settings: Settings = serde_json::from_str(
//!     r#"{
//!         "limits": { "min": 2, "max": 20 },
//!         "policies": [
//!             {
//!                 "name": "load",
//!                 "target_tracking": { "metric": "requests_per_target", "value": 1000 }
//!             }
//!         ]
//!     }"#,
//! )?;
//! let state = State::new(Arc::new(CheckedSettings::new(settings).expect("no contradictions")));
//! let samples = Samples::from([("requests_per_target".to_owned(), Reading::total(5400.0))]);
//! let wall = "2026-11-29T12:00:00Z".parse()?;
//! let now = Moment { boot_id: 1, boot: Duration::from_secs(60), wall };
//! let decision = decide(&state, &samples, now);
//! assert_eq!(decision.desired, 6);
//! assert!(explain(&decision).starts_with("2 -> 6 targets at 2026-11-29T12:00:00Z\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod activity;
mod adjustment;
mod cron;
mod decide;
mod decision;
mod explain;
mod fleet;
mod limits;
mod member;
mod memory;
mod moment;
mod policy;
mod random;
mod replay;
mod sample;
mod scorecard;
mod settings;
pub mod simulation;
mod state;
mod suspension;
mod validate;
mod window;

pub use activity::{Activity, Outcome};
pub use adjustment::Adjustment;
pub use cron::{Cron, CronError};
pub use decide::{GROWTH_DEADLINE_MIN, SCHEDULE_LATE_MAX, decide};
pub use decision::{Alert, Ask, Because, Decision, Input, Rejected, Rule};
pub use explain::explain;
pub use fleet::{Fleet, FleetConditions, Launches};
pub use limits::Limits;
pub use member::{Lifecycle, Member};
pub use memory::{BACK_OFF_MAX, BACK_OFF_MIN, LAUNCH_FAILURES_MAX, Memory};
pub use moment::Moment;
pub use policy::{
    Breach, Policy, PolicyKind, Schedule, SimpleScaling, Step, StepScaling, TargetTracking,
};
pub use replay::{Recorded, ReplayConditions, replay};
pub use sample::{Reading, Sample, Samples};
pub use scorecard::{REVERSAL_WITHIN, Scorecard};
pub use settings::{Rate, Replacement, Settings};
pub use state::State;
pub use suspension::{Process, Suspensions};
pub use validate::{
    CAPACITY_MAX, CheckedSettings, Contradiction, DURATION_MAX, POLICIES_MAX, ScheduleTime,
};
pub use window::Peaks;
