//! Measurements for users, who want to know what a host can carry: `xelb bench`.
//!
//! `program` is what the loaded program costs a packet; `traffic` sends packets, and counts them. Nothing here is used by the agent, and
//! nothing here touches a data path that runs.

mod balancer_under_test;
pub mod cases;
mod cell;
mod conditions;
mod error;
mod generator;
mod harness;
mod isolated_thread;
mod options;
mod program;
pub mod report;
mod statistics;
mod synthetic;
pub mod traffic;
mod verify;

pub use conditions::Conditions;
pub use error::BenchError;
pub use options::{Options, Source};
pub use program::measure;
