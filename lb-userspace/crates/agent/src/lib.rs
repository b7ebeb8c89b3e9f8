//! The agent: one loop that owns the desired state, and what the API asks of it.

mod accepted_mac;
mod actor;
mod answers;
mod api_thread;
mod balancer;
mod certificates;
mod change;
mod change_lines;
pub mod config_file;
mod counter_ages;
mod describe;
mod description;
pub mod descriptor_store;
mod descriptors;
mod event_hooks;
mod events;
mod exhaustion;
mod file_reading;
mod first_lookup;
mod forgotten;
mod frontend;
mod guard;
mod health_checks;
mod history;
mod host;
mod http_guard;
mod http_targets;
mod http_view;
mod http_warnings;
mod idle_slots;
mod interfaces;
mod kept_state;
mod kernel_log;
mod left_out;
mod macs;
mod named_target;
mod names;
mod nat_return_path;
mod next_hops;
mod options;
mod own_address;
mod preview;
mod preview_inputs;
mod probe_paths;
mod process;
mod proxies;
mod publish;
pub mod readiness;
mod reload;
mod request;
mod resume;
mod run;
mod scaled;
mod scaled_requests;
mod signals;
mod snapshot;
mod source;
mod start_lines;
mod state_name;
mod status_line;
mod transitions;
mod verification;
mod view;
mod vip_routes;
mod warning_log;
mod warnings;
mod watchers;

pub use accepted_mac::AcceptedMac;
pub use answers::{Reached, missing_sources, translates, unattached_interfaces};
pub use certificates::CertificateView;
pub use description::{CheckView, NextHopView, ProbeView, TargetDescription};
pub use event_hooks::EventHookView;
pub use events::{Event, EventLog, Events};
pub use frontend::Frontend;
pub use host::{addresses as host_addresses, own_addresses};
pub use idle_slots::{ArmedAges, slots as idle_slots};
pub use interfaces::{GENERIC_VLAN_TAGS, vlan_tags_remedy};
pub use names::NameView;
pub use options::{AgentOptions, STATE_DIR};
pub use process::{Process, network_namespace};
pub use proxies::{
    DrainingTarget, Feed, GroupRequests, Proxies, ProxyChange, ProxyReport, ProxySnapshot,
    ProxyTarget, ProxyView,
};
pub use request::{
    Action, AgentHandle, Answer, Ask, Done, Layer7, Outcome, Preview, Question, Refusal, Request,
};
pub use resume::{Resumed, resume};
pub use run::run;
pub use snapshot::{
    AttachedInterface, DrainView, HealthStats, ListenerView, MapMemory, MapsView, MemoryView,
    PortView, Snapshot, TargetGroupView, TargetView, WarningDetail,
};
pub use state_name::{state_name, state_of};
pub use watchers::SnapshotWatch;
