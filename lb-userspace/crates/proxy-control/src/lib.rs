//! The process of the HTTP proxy: from a configuration to what `lb-proxy` serves, health checks of its targets,
//! the access log, reloads and the stop. It moves no byte of a request itself.
#![forbid(unsafe_code)]

mod access_log;
mod agent_source;
mod certificates;
mod explain;
mod follow;
mod groups;
mod health;
mod listeners;
mod monitor;
mod process;
mod service;
mod service_log;
mod snapshot;
mod source;
mod supervisor;
mod tickets;
mod unservable;

pub use access_log::{LogDestination, LogFile};
pub use explain::{
    ExplainHttpError, ExplainedGroup, ExplainedTarget, HttpExplainView, HttpQuestion, KnownTarget,
    ServedListeners, TriedRule, explain_http,
};
pub use lb_proxy::{BUCKETS, Counter, Failure, Metrics, StopReport, Sums};
pub use monitor::{GroupState, ListenerState, Monitor, Observed, ProxyState};
pub use process::run;
pub use service::{Service, ServiceError, ServiceOptions, Signal};
pub use snapshot::Prepared;
pub use source::{ConfigId, Load, Served, Source, Told};
pub use supervisor::{Supervisor, Unsupervised};
pub use unservable::{LoadError, Unservable, UnservableConfig};
