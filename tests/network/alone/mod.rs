//! Tests that measure times or rates, or look at what the whole machine holds: one after the other, while no
//! other test runs. The stage `network` runs those whose names begin with `alone::` by themselves.

mod demo;
mod failover;
mod generator;
mod generator_frames;
mod iperf;
mod leftovers;
mod scaling;
pub(crate) mod upgrade;
mod vrrp;
