//! Network tests: real hosts in network namespaces, real servers and clients, observed where
//! packets arrive. They need root and the programs that `cargo xtask setup` installs; without them
//! they fail, they are not skipped.
//!
//! One lab stands at a time: the tests measure times, and a machine may have few cores.

mod agent_crash;
mod demo;
mod doctor;
mod failover;
mod lab;
mod reload;
mod scene;
mod traces;
mod traffic;
mod transfer;
mod wire;
