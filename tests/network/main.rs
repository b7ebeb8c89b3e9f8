//! Network tests: real hosts in network namespaces, real servers and clients, observed where
//! packets arrive. They need root and the programs that `cargo xtask setup` installs; without them
//! they fail, they are not skipped.
//!
//! Labs stand side by side. Tests that measure times or rates have the machine to themselves: see `alone`.

mod absent;
mod agent_crash;
mod alone;
mod answers;
mod blue_green;
mod checks;
mod consistency;
mod decap;
mod demo;
mod doctor;
mod explain;
mod first_start;
mod flooded;
mod fragments;
mod icmp;
mod interfaces;
mod lab;
mod lab_page;
mod leftovers;
mod link;
mod listeners;
mod mss;
mod path_mtu;
mod reboot;
mod reload;
mod restored;
mod scaling;
mod scaling_life;
mod scaling_metrics;
mod scaling_requests;
mod scene;
mod sends;
mod traces;
mod traffic;
mod transfer;
mod translated;
mod via;
mod warned;
mod wire;
