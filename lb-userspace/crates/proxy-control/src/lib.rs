//! The process of the HTTP proxy: from a configuration to what `lb-proxy` serves, health checks of its targets,
//! the access log, reloads and the stop. It moves no byte of a request itself.
#![forbid(unsafe_code)]

mod access_log;
mod certificates;
mod groups;
mod health;
mod listeners;
mod process;
mod service;
mod snapshot;
mod supervisor;
mod unservable;

pub use access_log::{LogDestination, LogFile};
pub use process::run;
pub use service::{Load, Service, ServiceError, ServiceOptions, Signal};
pub use snapshot::Prepared;
pub use supervisor::{Supervisor, Unsupervised};
pub use unservable::{LoadError, Unservable, UnservableConfig};
