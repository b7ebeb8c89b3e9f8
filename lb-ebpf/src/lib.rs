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
#![expect(clippy::cast_possible_truncation, reason = "lengths within a packet fit 16 bits")]

/// For the host's stand-in of the kernel only.
#[cfg(not(target_arch = "bpf"))]
extern crate std;

pub mod checksum;
pub mod decap;
mod exception;
mod family;
mod fault;
pub mod forward;
mod fragment;
pub mod header;
#[cfg(not(target_arch = "bpf"))]
pub mod host;
mod icmp;
pub mod limiter;
mod link;
mod listener;
pub mod memory;
pub mod nat;
pub mod packet;
mod parse;
mod quic;
pub mod recall;
mod reset;
pub mod siphash;
pub mod stage;
mod stats;
mod steer;
mod step;
pub mod tables;
pub mod verdict;

use nat::life::Direction;
pub use packet::{Packet, Wire};
pub use parse::{Content, Datagram};
pub use stage::Stages;
pub use steer::flow_hash;
pub use step::Step;
pub use tables::Tables;
pub use verdict::Verdict;

/// Decides on one packet, and rewrites it when it goes to a target.
///
/// The life of a packet (each step may stop it): parse, listener, steer, forward, count. Nothing
/// is written before the decision is complete; what is not for a listener passes untouched.
#[inline(always)]
pub fn process<P: Packet, S: Stages<P>>(packet: &mut P, stages: &S) -> Verdict {
    let step = match stages.balance(packet) {
        first @ (Step::Exception | Step::Translate) => by_flow(packet, first, stages),
        step => step,
    };
    match step {
        Step::Sent(sent) => {
            if sent.mss != 0 {
                stages.clamp(packet, u32::from(sent.transport) * 2, sent.mss);
            }
            match sent.interface {
                0 => Verdict::Transmit,
                interface => Verdict::Redirect(interface),
            }
        }
        Step::TooBig(room) => stages.too_big(packet, room),
        Step::Reset => stages.reset(packet),
        Step::Done(verdict) => verdict,
        // What only stages say to each other.
        _ => Verdict::Pass,
    }
}

/// A packet that takes more than one look: which flow does it belong to, and where does that go?
#[inline(always)]
fn by_flow<P: Packet, S: Stages<P>>(packet: &mut P, first: Step, stages: &S) -> Step {
    let mut flow = Datagram::EMPTY;
    match stages.read(packet, &mut flow) {
        Step::Read => {}
        end => return end,
    }
    if first == Step::Exception {
        match stages.deliver(packet, &flow) {
            Step::Translate => {}
            end => return end,
        }
    }
    translate(packet, &flow, stages)
}

/// Modes nat and fullnat: finds or makes the binding of a flow, then writes the packet.
#[inline(always)]
fn translate<P: Packet, S: Stages<P>>(packet: &mut P, flow: &Datagram, stages: &S) -> Step {
    let mut direction = Direction::Request;
    let mut step = stages.request(packet, flow);
    if step == Step::Unlisted {
        direction = Direction::Reply;
        step = stages.reply(packet, flow);
    }
    if step == Step::Create {
        step = stages.create(packet, flow);
        if let Step::Created { pool, made } = step {
            stages.expire(packet, pool);
            step = if made { stages.request(packet, flow) } else { stages.exhausted() };
        }
    }
    match step {
        Step::Bound(index) => stages.write(packet, flow, index, direction),
        end => end,
    }
}
