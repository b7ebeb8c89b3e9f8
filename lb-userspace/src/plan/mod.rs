//! PURE: what the maps should hold, and the ordered operations that lead there.

mod broken;
mod cache;
mod compile;
mod diff;
mod entry;
mod former;
mod group;
mod ids;
mod impact;
mod inputs;
mod life;
mod listeners;
mod membership;
mod model;
mod pools;
mod rename;
mod reports;
mod rings;
mod space;
mod tables;
mod targets;
mod transition;
mod writes;

#[cfg(test)]
mod tests;

pub use broken::{BrokenListener, broken_listeners};
pub use cache::Cache;
pub use compile::{Plan, PlanError, compile};
pub use diff::diff;
pub use entry::listener_key;
pub use impact::{Comparison, GroupImpact, Impact, Unserved, broken_connections, unserved};
pub use inputs::Inputs;
pub use listeners::listener_id;
pub use model::{MapModel, faults};
pub use rename::{Renamed, carry_over, carry_over_into, renamed};
pub use reports::{Reports, TargetReport};
pub use tables::*;
pub use transition::is_transition;
pub use writes::SlotWrites;
