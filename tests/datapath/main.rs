//! The data path: every case on the host and in the kernel, against frames that an independent
//! packet crate built.

mod agreement;
mod answers;
mod budget;
mod decap;
mod document;
mod forwarding;
mod fragments;
mod hashing;
mod icmp;
mod macs;
mod memory;
mod nat;
mod nat_forged;
mod nat_icmp;
mod nat_life;
mod nat_plain;
mod nat_rate;
mod refusals;
mod support;
mod wide;
