//! The data path as a pure library: the same code is compiled for BPF and for the host.
//!
//! It accesses packets and maps only through [`Packet`] and [`Tables`]. It deliberately holds no
//! map, no helper call and no `unsafe`: those are in the binary (`main.rs` and `kernel/`).
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

/// Only for the host's replacement of the kernel.
#[cfg(not(target_arch = "bpf"))]
extern crate std;

pub mod chain;
pub mod checksum;
mod datagram;
pub mod decap;
mod ends;
mod exception;
pub mod extensions;
mod family;
mod fault;
pub mod flow_hash;
pub mod forward;
mod fragment;
pub mod header;
#[cfg(not(target_arch = "bpf"))]
pub mod host;
mod icmp;
mod ip_packet;
pub mod limiter;
mod link;
mod listener;
pub mod memory;
pub mod nat;
pub mod packet;
pub mod packet_sum;
mod parse;
mod plain;
pub mod question;
mod quic;
pub mod recall;
mod reset;
mod sender;
mod siphash;
pub mod stage;
mod stats;
mod steer;
mod step;
pub mod tables;
pub mod verdict;

pub use datagram::{Content, Datagram};
pub use flow_hash::flow_hash;
use nat::life::Direction;
pub use packet::{Packet, Wire};
pub use stage::Stages;
pub use step::{Sent, Step};
pub use tables::Tables;
pub use verdict::Verdict;

/// Decides on one packet, and rewrites it if it goes to a target.
///
/// The life of a packet (each step may stop it): parse, listener, steer, forward, count. Nothing is
/// written before the decision is complete; packets for no listener pass unchanged.
///
/// This handles plain packets, which are nearly all packets. In BPF it is a separate program, small
/// enough for a CPU's caches; other packets go to another program.
#[inline(always)]
pub fn process<P: Packet, S: Stages<P>>(packet: &mut P, stages: &S) -> Verdict {
    match stages.plain(packet) {
        Step::Sent(sent) => leave(packet, sent, stages),
        Step::Done(verdict) => verdict,
        Step::Translate => stages.translate(packet),
        first => stages.rest(packet, first),
    }
}

/// Decides on a packet that is not plain, or that needs more than a new header; `first` is the
/// result of [`process`].
#[inline(always)]
pub fn process_rest<P: Packet, S: Stages<P>>(packet: &mut P, first: Step, stages: &S) -> Verdict {
    let step = match first {
        Step::NotPlain => stages.balance(packet),
        step => step,
    };
    let step = match step {
        Step::Exception => by_flow(packet, stages),
        step => step,
    };
    match step {
        Step::Translate => stages.translate(packet),
        Step::Reset => stages.reset(packet),
        Step::Echo => stages.echo(packet),
        step => end(packet, step, stages),
    }
}

/// Decides on a packet that may need translation: one for a listener of mode nat or fullnat, or one for
/// no listener, which may be an answer of a target.
///
/// It starts from the packet: in BPF it is a separate program, so that the number of instructions
/// that the verifier checks stays far below its limit.
#[inline(always)]
pub fn process_translated<P: Packet, S: Stages<P>>(packet: &mut P, stages: &S) -> Verdict {
    if let Step::Sent(sent) = stages.translate_plain(packet) {
        return leave(packet, sent, stages);
    }
    let mut flow = Datagram::EMPTY;
    let step = match stages.read(packet, &mut flow) {
        Step::Read => translate(packet, &flow, stages),
        step => step,
    };
    end(packet, step, stages)
}

/// The verdict on a packet after its last stage.
#[inline(always)]
fn end<P: Packet, S: Stages<P>>(packet: &mut P, step: Step, stages: &S) -> Verdict {
    match step {
        Step::Sent(sent) => leave(packet, sent, stages),
        Step::TooBig(room) => stages.too_big(packet, room),
        Step::Done(verdict) => verdict,
        // Steps that only stages return to each other.
        _ => Verdict::Pass,
    }
}

/// The packet is written, and goes out.
#[inline(always)]
fn leave<P: Packet, S: Stages<P>>(packet: &mut P, sent: Sent, stages: &S) -> Verdict {
    if sent.mss() != 0 {
        stages.clamp(packet, sent.transport(), sent.mss());
    }
    match sent.interface() {
        0 => Verdict::Transmit,
        interface => Verdict::Redirect(interface),
    }
}

/// A packet that needs more steps: which flow does it belong to, and which target has that flow?
#[inline(always)]
fn by_flow<P: Packet, S: Stages<P>>(packet: &mut P, stages: &S) -> Step {
    let mut flow = Datagram::EMPTY;
    match stages.read(packet, &mut flow) {
        Step::Read => stages.deliver(packet, &flow),
        end => end,
    }
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
        step = stages.choose(packet, flow);
        if let Step::Chosen(chosen) = step {
            step = stages.bind(packet, flow, chosen);
        }
        // Inspects others, so that the next flow finds bindings of ended flows.
        if let Step::Created { made, now } = step {
            stages.expire(packet, now);
            step = if made { stages.request(packet, flow) } else { stages.exhausted() };
        }
    }
    match step {
        Step::Bound { index, listener } => stages.write(packet, flow, index, direction, listener),
        end => end,
    }
}
