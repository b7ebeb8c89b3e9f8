//! Measurements for users, who want to know what a host can carry: `xelb bench`.
//!
//! `program` is what the loaded program costs a packet; `traffic` sends packets, and counts them. Nothing here is used by the agent, and
//! nothing here touches a data path that runs.

pub mod cases;
mod cell;
mod conditions;
mod error;
mod generator;
mod program;
pub mod report;
mod room;
mod statistics;
mod subject;
mod synthetic;
mod tools;
pub mod traffic;
mod verify;

pub use conditions::Conditions;
pub use error::BenchError;
pub use program::{Options, Source, measure};
