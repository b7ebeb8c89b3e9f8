//! The agent: one loop that owns the desired state, and what the API asks of it.

mod aims;
mod answers;
mod balancer;
mod change;
mod change_lines;
mod checks;
pub mod config_file;
mod descriptors;
mod events;
mod forgotten;
mod front;
mod guard;
mod history;
mod hops;
mod host;
mod interfaces;
mod kernel_log;
mod lookup;
mod macs;
mod options;
mod own_address;
mod preview;
mod process;
mod publish;
mod quiet;
pub(crate) mod readiness;
mod reception;
mod reload;
mod request;
mod resume;
mod run;
mod settled;
mod shortage;
mod signals;
mod snapshot;
mod source;
mod transitions;
mod translation;
mod upkeep;
mod view;
mod warnings;

pub(crate) use answers::{Reached, missing_sources, translates, unseen};
pub use events::{Event, EventLog, Events};
pub use front::Front;
pub(crate) use host::addresses as host_addresses;
pub(crate) use interfaces::{GENERIC_VLAN_TAGS, vlan_tags_remedy};
pub use macs::AcceptedMac;
pub use options::{AgentOptions, STATE_DIR};
pub use process::Process;
pub use quiet::{ArmedAges, slots as quiet_slots};
pub use request::{Action, AgentHandle, Answer, Ask, Outcome, Preview, Question, Refusal, Request};
pub use resume::{Resumed, resume};
pub use run::run;
pub use snapshot::{
    AttachedInterface, HealthStats, ListenerView, MapMemory, MapsView, MemoryView, PortView,
    Snapshot, TargetGroupView, TargetView, WarningDetail,
};
pub(crate) use view::state_name;
