//! Modes nat and fullnat: every flow has a binding, which says what its packets become in both
//! directions.
//!
//! The bindings live in maps that outlive the agent, and need nobody else: they are taken from a
//! queue of free ones and found again by a dense flow table; each new one looks at a few others and
//! takes back those whose flows have ended ([`expire`]).

pub(crate) mod create;
pub mod expire;
pub(crate) mod forward;
pub mod life;
pub(crate) mod reply;
pub mod request;
mod rewrite;
pub mod sequence;
pub mod table;

use lb_common::{Address, Be16, Binding, ClientLink, FlowLine, Pool, nat::Queue};

use crate::{Datagram, Packet, header::Ethernet, link::Link, tables::Tables};

/// What modes nat and fullnat ask of the outside.
pub trait NatTables: Tables {
    /// The pool with this number; an empty one for a number that is too large.
    fn pool(&self, number: usize) -> Pool;

    /// The binding with this index, whatever its life.
    fn binding(&self, index: u32) -> Option<&Binding>;

    /// Writes all of a binding but its life. Nobody else uses it now.
    fn write_binding(&self, index: u32, binding: &Binding);

    /// See [`request::follow`]: in BPF a function of its own, so that the verifier walks it once.
    fn follow(&self, flow: &Datagram, index: u32, link: &ClientLink);

    /// Writes [`Binding::link`]. Other packets may read the words of two links.
    fn set_link(&self, index: u32, link: &ClientLink);

    /// Writes [`Binding::sequence`].
    fn set_sequence(&self, index: u32, word: u64);

    /// The life of a binding, as a word.
    fn life(&self, index: u32) -> u64;

    /// Replaces the life of a binding; `false` when it was not `old` any more.
    fn swap_life(&self, index: u32, old: u64, new: u64) -> bool;

    /// A line of the flow table.
    fn flow_line(&self, line: u32) -> Option<&FlowLine>;

    /// Replaces a word of the flow table; `false` when it was not `old` any more.
    fn swap_flow_word(&self, line: u32, word: u32, old: u64, new: u64) -> bool;

    /// Takes the binding that has been free the longest.
    fn take_free(&self, queue: Queue) -> Option<u32>;

    /// Gives a binding back. There is always room: each stands in its queue once.
    fn give_back(&self, queue: Queue, index: u32);

    /// See [`expire::evict`]: in BPF a function of its own, since bindings are short rarely.
    fn evict(&self, queue: Queue) -> Option<u32>;

    /// See [`expire::spare_of`]: in BPF a function of its own, so that the verifier walks it once.
    fn spare(&self, index: u32, now: u32) -> u32;

    /// Where this CPU's next look at the bindings of a pool starts; it is moved on by `steps`.
    fn advance(&self, pool: usize, steps: u32) -> u32;
}

/// Both ends of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) source_port: Be16,
    pub(crate) destination_port: Be16,
}

impl Ends {
    /// Those of a flow.
    #[inline(always)]
    pub(crate) const fn of(flow: &Datagram) -> Self {
        Self {
            source: flow.source,
            destination: flow.destination,
            source_port: flow.source_port,
            destination_port: flow.destination_port,
        }
    }

    /// What a client sends.
    #[inline(always)]
    pub(crate) const fn from_client(binding: &Binding) -> Self {
        Self {
            source: binding.client,
            destination: binding.vip,
            source_port: binding.client_port,
            destination_port: binding.vip_port,
        }
    }

    /// What the target sees of it.
    #[inline(always)]
    pub(crate) const fn to_target(binding: &Binding) -> Self {
        Self {
            source: binding.local,
            destination: binding.target_address,
            source_port: binding.local_port,
            destination_port: binding.target_port,
        }
    }

    /// The other direction.
    #[inline(always)]
    pub(crate) const fn turned(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
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
