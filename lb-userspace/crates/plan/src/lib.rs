//! PURE: what the maps should hold, and the ordered operations that lead there.

mod broken;
mod cache;
mod compile;
pub mod consistency;
mod diff;
mod error;
pub mod fake;
mod group;
mod health;
mod id_allocator;
mod impact;
mod inputs;
mod listeners;
pub mod maglev;
mod map_entry;
mod map_store;
mod model;
mod next_hop;
mod pools;
mod previous_targets;
pub mod reconcile;
mod rename;
mod ring_membership;
mod rings;
mod slot_allocator;
mod slot_writes;
mod sorry;
mod tables;
mod target_lifecycle;
mod target_reports;
mod targets;
mod transition;
mod transition_name;
pub mod warning;

#[cfg(test)]
mod tests;

pub use broken::{BrokenListener, broken_listeners};
pub use cache::Cache;
pub use compile::{Plan, compile};
pub use diff::diff;
pub use error::PlanError;
pub use health::{GroupHealth, Health, HealthTable, Reason};
pub use impact::{Comparison, GroupImpact, Impact, Unserved, broken_connections, unserved};
pub use inputs::Inputs;
pub use listeners::listener_id;
pub use map_store::MapStore;
pub use model::{MapModel, faults};
pub use next_hop::{NextHop, NextHopState, NextHops};
pub use rename::{Renamed, carry_over, carry_over_into, renamed};
pub use slot_writes::SlotWrites;
pub use tables::*;
pub use target_reports::{Reports, TargetReport};
pub use transition_name::is_transition;
