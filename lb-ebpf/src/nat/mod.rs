//! Modes nat and fullnat: every flow has a binding, which has the translation of its packets in
//! both directions.
//!
//! The bindings are in maps that survive the agent, and need no other process. They are allocated
//! in their order, then from a queue of free ones, and a dense flow table finds them. Each
//! allocation inspects a few others and frees those whose flows have ended ([`expire`]).

pub mod choice;
pub mod create;
pub mod expire;
pub(crate) mod forward;
pub mod life;
pub(crate) mod plain;
pub(crate) mod reply;
pub mod request;
mod rewrite;
pub mod sequence;
pub mod source;
pub mod table;

use lb_common::{Binding, ClientLink, Family, Pool};

use self::{
    choice::Choice,
    source::{Candidate, Source},
    table::FlowLines,
};
use crate::{
    Datagram, Packet, ends::Ends, flow_hash, header::Ethernet, link::Link, tables::Tables,
};

/// Tables of modes nat and fullnat.
pub trait NatTables: Tables + FlowLines {
    /// The pool at this place; an empty one for a number that is too large.
    fn pool(&self, place: usize) -> Pool;

    /// One more than the highest number of a pool of a family, counted from its first place: at most
    /// [`lb_common::nat::POOLS_MAX`].
    fn pools_end(&self, family: Family) -> u32;

    /// The binding with this index, regardless of its state.
    fn binding(&self, index: u32) -> Option<&Binding>;

    /// Writes all of a binding except its life. It has no other user now.
    fn write_binding(&self, index: u32, binding: &Binding);

    /// See [`request::follow`]: in BPF a separate function, so that the verifier walks it once.
    fn follow(&self, flow: &Datagram, index: u32, link: &ClientLink);

    /// Writes [`Binding::link`]. Other packets may read the words of two links.
    fn set_link(&self, index: u32, link: &ClientLink);

    /// Writes [`Binding::sequence`].
    fn set_sequence(&self, index: u32, word: u64);

    /// The life of a binding, as a word.
    fn life(&self, index: u32) -> u64;

    /// Replaces the life of a binding; `false` when it was not `old` any more.
    fn swap_life(&self, index: u32, old: u64, new: u64) -> bool;

    /// How many bindings have ever been taken: the first ones.
    fn taken(&self) -> u32;

    /// Takes the first binding that has never been taken; or else the one that has been free the longest.
    fn take(&self) -> Option<u32>;

    /// Frees a binding. There is always space: each is in the queue at most once.
    fn give_back(&self, index: u32);

    /// Start of the next search for a binding if none is free; advanced by `steps`, for all CPUs.
    fn hand(&self, steps: u32) -> u32;

    /// Start of this CPU's next search for ended flows, below `end`; advanced by `steps`.
    fn advance(&self, steps: u32, end: u32) -> u32;

    /// See [`expire::evict`]: in BPF a separate function, as all of these, so that the verifier
    /// walks it once.
    fn evict(&self, now: u32) -> Option<u32>;

    /// See [`expire::weigh`].
    fn weigh(&self, choice: Choice, index: u32, now: u32) -> Choice;

    /// See [`expire::is_meant`].
    fn is_meant(&self, choice: Choice, index: u32, now: u32) -> bool;

    /// See [`expire::take_over`].
    fn take_over(&self, index: u32, now: u32) -> bool;

    /// See [`source::choose`].
    fn choose_source(&self, flow: &Datagram, target: u16, hash: u64) -> Source;

    /// See [`source::candidate`].
    fn candidate(&self, flow: &Datagram, target: u16, position: u32) -> Candidate;
}

/// The hashes by which packets of the client and of the target find a binding, with the words of a key.
#[must_use]
pub fn hashes(binding: &Binding, key: impl Fn(usize) -> u64) -> [u64; 2] {
    let family = if binding.family == Family::V4 as u8 { Family::V4 } else { Family::V6 };
    [Ends::from_client(binding), Ends::to_target(binding).turned()]
        .map(|ends| flow_hash::of(family, binding.protocol, &ends, &key))
}

/// Whether a binding's flow is of this family and protocol.
#[inline(always)]
pub(crate) const fn speaks(binding: &Binding, family: u8, protocol: u8) -> bool {
    binding.family == family && binding.protocol == protocol
}

/// The link layer that a packet came with.
#[inline(always)]
pub(crate) fn client_link<P: Packet>(packet: &P, link: &Link) -> Option<ClientLink> {
    let ethernet = packet.get::<Ethernet>(0)?;
    let [outer, inner] = link.tags.tags;
    let tags = [outer.ether_type, outer.control, inner.ether_type, inner.control];
    let (client, own) = (ethernet.source, ethernet.destination);
    Some(ClientLink::new(client, own, packet.ingress(), tags, link.tags.count))
}

/// Seconds of the monotonic clock.
#[inline(always)]
pub(crate) fn seconds<T: Tables>(tables: &T) -> u32 {
    (tables.now() / 1_000_000_000) as u32
}
