//! The agent: one loop that owns the desired state, and what the API asks of it.

mod aims;
mod balancer;
mod change;
mod events;
mod hops;
mod host;
mod kernel_log;
mod lookup;
mod options;
mod quiet;
mod request;
mod resume;
mod run;
mod shortage;
mod signals;
mod snapshot;
mod source;
mod transitions;
mod view;

pub use events::{Event, EventLog, Events};
pub use options::AgentOptions;
pub use request::{AgentHandle, Outcome, Refusal, Request};
pub use run::run;
pub use snapshot::{
    AttachedInterface, HealthStats, ListenerView, MapsView, PortView, Snapshot, TargetGroupView,
    TargetView,
};
