//! The agent: one loop that owns the desired state, and what the API asks of it.

mod request;
mod snapshot;

pub use request::{AgentHandle, Outcome, Refusal, Request};
pub use snapshot::{
    AttachedInterface, HealthStats, ListenerView, MapsView, Snapshot, TargetGroupView, TargetView,
};
