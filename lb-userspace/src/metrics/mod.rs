//! What Prometheus scrapes: all that `status` and `stats` show in numbers, over HTTP. It only reads.

mod catalogue;
mod crowd;
mod family;
mod observation;
mod process;
mod server;

#[cfg(test)]
mod tests;

pub use observation::Observation;
pub use process::Process;
pub use server::{BindError, bind, serve};
