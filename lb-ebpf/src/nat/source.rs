//! Source address and port of a flow of mode fullnat. One port serves many flows at a time, as long
//! as they go to different targets: only the whole tuple of protocol, target, its port, source
//! address and port must be unique.
//!
//! It is chosen when the flow begins. The flow's hash says which port is tried first, and which
//! ones after it (double hashing over all ports of all addresses), so that the next port is not
//! predictable (RFC 6056, section 3.3.3), and CPUs need no coordination. The first one whose tuple
//! is in no line of the flow table is taken.

use core::hint::black_box;

use lb_common::{Be16, Family, Pool, Target};

use super::{Ends, NatTables, choice::Choice, seconds, table};
use crate::{Datagram, steer};

/// Ports that are tried for a flow. With nine of ten ports taken for one target, one flow of thirty finds
/// none.
pub const CANDIDATES: u32 = 32;

/// The result, in a word: the number of the pool and the port, in host byte order, and maybe an
/// evicted binding that the flow takes over, with its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(u64);

impl Source {
    /// There is none.
    pub const NONE: Self = Self(0);
    const FOUND: u64 = 1 << 63;
    const TAKES_OVER: u64 = 1 << 62;

    /// As a word.
    #[must_use]
    #[inline(always)]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// From a word.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline(always)]
    const fn free(place: u32) -> Self {
        Self(Self::FOUND | (place as u64) << 32)
    }

    #[inline(always)]
    const fn taken_over(place: u32, index: u32) -> Self {
        Self(Self::FOUND | Self::TAKES_OVER | (place as u64) << 32 | index as u64)
    }

    /// Whether there is one.
    #[inline(always)]
    pub(super) const fn is_found(self) -> bool {
        self.0 & Self::FOUND != 0
    }

    /// Whether the flow has got a binding with it.
    #[inline(always)]
    pub(super) const fn takes_over(self) -> bool {
        self.0 & Self::TAKES_OVER != 0
    }

    /// The index of that binding.
    #[inline(always)]
    pub(super) const fn index(self) -> u32 {
        self.0 as u32
    }

    /// Number of the pool.
    #[inline(always)]
    pub(super) const fn pool(self) -> usize {
        (self.0 >> 48) as usize & 0x1f
    }

    /// The port, in host byte order.
    #[inline(always)]
    pub(super) const fn port(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// Pool and port, as [`crate::tables::Fact::NewBinding`] has them.
    #[inline(always)]
    pub(super) const fn noted(self) -> u32 {
        (self.0 >> 32) as u32 & 0x1f_ffff
    }
}

/// What one candidate is like, in a word: who has it, if anybody; above that its pool and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate(u64);

impl Candidate {
    /// Nobody can have it: its pool is empty.
    pub const NOBODYS: Self = Self(1 << 62 | Self::NO_HOLDER);
    const NO_HOLDER: u64 = 0xffff_ffff;
    const FREE: u64 = 1 << 63;

    /// As a word.
    #[must_use]
    #[inline(always)]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// From a word.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline(always)]
    const fn is_free(self) -> bool {
        self.0 & Self::FREE != 0
    }

    /// Index of its binding; an invalid index if it is free.
    #[inline(always)]
    const fn holder(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    const fn place(self) -> u32 {
        (self.0 >> 32) as u32 & 0x1f_ffff
    }
}

/// Where the search of a flow starts, and its step.
#[derive(Clone, Copy)]
struct Walk {
    start: u32,
    step: u32,
}

impl Walk {
    #[inline(always)]
    fn of<T: NatTables>(hash: u64, tables: &T) -> Self {
        // When nothing was found, the client's next attempt looks elsewhere.
        let turn = tables.hand(0).wrapping_mul(0x9e37_79b1);
        Self { start: ((hash >> 8) as u32).wrapping_add(turn), step: (hash >> 40) as u32 | 1 }
    }

    #[inline(always)]
    const fn position(self, number: u64) -> u32 {
        self.start.wrapping_add(self.step.wrapping_mul(number as u32))
    }
}

/// Finds a source for a flow to a target.
#[inline(always)]
pub fn choose<T: NatTables>(flow: &Datagram, target: u16, hash: u64, tables: &T) -> Source {
    if tables.pools_end(flow.family) == 0 {
        return Source::NONE;
    }
    let walk = Walk::of(hash, tables);
    // Hidden from LLVM, which else writes each round out, and what they start from on the stack. A whole word: of
    // half of one, Linux 6.1 does not remember what it holds.
    let candidates = black_box(u64::from(CANDIDATES));
    let mut number = 0;
    while number < candidates {
        let candidate = tables.candidate(flow, target, walk.position(number));
        if candidate.is_free() {
            return Source::free(candidate.place());
        }
        number += 1;
    }
    take_over(flow, target, walk, candidates, tables)
}

/// Takes a port from another flow to the same target, with its binding: as [`super::expire::evict`] does it, but
/// among the candidates.
///
/// Each round is calls and nothing else: with branches the verifier walks each round many times.
#[inline(always)]
fn take_over<T: NatTables>(
    flow: &Datagram,
    target: u16,
    walk: Walk,
    candidates: u64,
    tables: &T,
) -> Source {
    let now = seconds(tables);
    let (mut choice, mut number) = (Choice::NOTHING, 0);
    while number < candidates {
        let candidate = tables.candidate(flow, target, walk.position(number));
        choice = tables.weigh(choice, candidate.holder(), now);
        number += 1;
    }
    tables.hand(CANDIDATES);
    if !choice.is_found() && choice.flooded() == 0 {
        return Source::NONE;
    }
    number = 0;
    while number < candidates {
        let candidate = tables.candidate(flow, target, walk.position(number));
        let index = candidate.holder();
        if tables.is_meant(choice, index, now) {
            return if tables.take_over(index, now) {
                Source::taken_over(candidate.place(), index)
            } else {
                Source::NONE
            };
        }
        number += 1;
    }
    Source::NONE
}

/// The port at a position, and who has it. All positions together are all ports of all addresses of the
/// family, again and again.
#[inline(always)]
pub fn candidate<T: NatTables>(
    flow: &Datagram,
    target: u16,
    position: u32,
    tables: &T,
) -> Candidate {
    let number = ((position >> 16) * tables.pools_end(flow.family)) >> 16;
    let place = Pool::first_place(flow.family) as u32 + number;
    let pool = tables.pool(place as usize);
    let Some(target) = tables.target(target) else { return Candidate::NOBODYS };
    if pool.count == 0 {
        return Candidate::NOBODYS;
    }
    let offset = ((position & 0xffff) * (pool.count & 0xffff)) >> 16;
    let port = (u32::from(pool.first_port) + offset) as u16;
    let place = u64::from((place & 0x1f) << 16 | u32::from(port)) << 32;
    let hash = reply_hash(flow.family, flow.protocol, target, &pool, port, tables);
    match table::holder(hash, tables) {
        Some(index) => Candidate(place | u64::from(index)),
        None => Candidate(place | Candidate::FREE | Candidate::NO_HOLDER),
    }
}

/// The hash by which answers of the target to this port are found.
#[inline(always)]
fn reply_hash<T: NatTables>(
    family: Family,
    protocol: u8,
    target: &Target,
    pool: &Pool,
    port: u16,
    tables: &T,
) -> u64 {
    let ends = Ends {
        source: target.address,
        destination: pool.address,
        source_port: target.port,
        destination_port: Be16::new(port),
    };
    steer::hash(family, protocol, &ends, tables)
}
