//! PURE: which target of a target group gets a request. Health checks and connections are made
//! elsewhere; `now` is the time since any fixed moment, and random numbers are 64 even bits.

mod anomaly;
mod least_outstanding;
mod random;
mod round_robin;
mod settings;
mod slow_start;
mod target_group;
#[cfg(test)]
mod tests;

pub use anomaly::{AnomalySettings, Detector, Ejection, Outcome};
pub use least_outstanding::{Load, exact, two_choices};
pub use random::weighted;
pub use round_robin::RoundRobin;
pub use settings::{Algorithm, Settings, SettingsError};
pub use slow_start::{WEIGHT_UNIT, effective_weight};
pub use target_group::{Choice, Health, TargetGroup, release};
