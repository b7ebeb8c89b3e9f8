//! `xelb bench traffic` and `xelb bench sink`: real packets from XDP live frames (Linux 5.18), bounded in
//! time and number, and a program that counts what arrives.
//!
//! `plan`, `frame`, `mix` and `pace` are pure; `egress` asks the kernel where packets go; `generate` and
//! `sink` run the programs of `lb-ebpf/src/traffic_main.rs`. Connections are not made here: a packet
//! is all that is sent.

mod egress;
mod error;
mod frame;
mod generate;
mod mix;
mod object;
mod outcome;
mod pace;
mod plan;
mod run;
mod sink;
mod sources;
mod unicast;

pub use egress::EgressPath;
pub use error::TrafficError;
pub use generate::generate;
pub use mix::Mix;
pub use outcome::{Received, Sent, SinkOutcome, TrafficOutcome};
pub use plan::{COUNT_MAX, DURATION_MAX, Plan, RATE_MAX, Request, Transport};
pub use run::Task;
pub use sink::{Arrived, Kind, Sink, SinkOptions};
