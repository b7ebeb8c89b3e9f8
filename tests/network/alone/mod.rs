//! Tests that measure times or rates: one after the other, while no other test runs. The stage `network` runs
//! those whose names begin with `alone::` by themselves.

mod failover;
mod generator;
mod generator_frames;
mod iperf;
pub(crate) mod upgrade;
mod vrrp;
