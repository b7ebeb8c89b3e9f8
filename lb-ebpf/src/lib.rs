//! The data path as a pure library: the same code is compiled for BPF and for the host.
//!
//! It asks the outside only through [`Packet`] and [`Tables`]. It deliberately holds no map, no
//! helper call and no `unsafe`: those are in the binary (`main.rs` and `kernel/`).
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub mod checksum;
pub mod decap;
mod family;
mod fault;
pub mod forward;
pub mod header;
#[cfg(not(target_arch = "bpf"))]
pub mod host;
mod link;
pub mod packet;
mod parse;
pub mod siphash;
mod stats;
mod steer;
pub mod tables;
pub mod verdict;

pub use packet::{Packet, Wire};
pub use parse::Datagram;
pub use steer::flow_hash;
pub use tables::Tables;
pub use verdict::Verdict;

use verdict::Stop;

/// Decides on one packet, and rewrites it when it goes to a target.
///
/// The life of a packet (each step may stop it): parse, listener, steer, forward, count. Nothing
/// is written before the decision is complete; what is not for a listener passes untouched.
#[inline(always)]
pub fn process<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    balance(packet, tables).unwrap_or_else(|stop| stats::stopped(stop, tables))
}

#[inline(always)]
fn balance<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Result<Verdict, Stop> {
    let link = link::parse(packet)?;
    let datagram = parse::datagram(packet, &link).map_err(|fault| fault.judge(tables))?;
    let listener = tables.listener(&datagram.listener_key()).ok_or(Stop::Pass)?;
    let hash = flow_hash(&datagram, tables.hash_seed());
    let id = steer::target_of(&listener, hash, tables)?;
    let target = tables.target(id).ok_or(Stop::target_missing())?;
    let verdict = forward::forward(packet, &link, &datagram, target, hash)?;
    stats::forwarded(&listener, id, &datagram, tables);
    Ok(verdict)
}
