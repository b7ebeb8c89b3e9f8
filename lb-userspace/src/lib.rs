//! The agent and its command line, as a library so that tests reach each part.

pub mod agent;
pub mod api;
pub mod bench;
pub mod bounded_file;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consistency;
pub mod dataplane;
mod descriptor_reserve;
pub mod doctor;
pub mod file_reader;
pub mod health;
pub mod log;
pub mod maglev;
pub mod metrics;
pub mod next_hop;
pub mod places;
pub mod plan;
mod plural;
pub mod private_file;
pub mod reconcile;
pub mod store;
pub mod warning;
