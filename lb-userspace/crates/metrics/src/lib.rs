//! What Prometheus scrapes: all that `status` and `stats` show in numbers, over HTTP. It only reads.

mod catalogue;
mod connection_limit;
mod exposition;
mod family;
mod observation;
mod proxy_observation;
mod server;

#[cfg(test)]
mod tests;

pub use observation::Observation;
pub use server::{BindError, bind, serve, serve_proxy};
