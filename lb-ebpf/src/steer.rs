//! Which target a flow goes to: flow hash, slot, owner.
//!
//! Slots are never armed in this version: the owner of the slot takes every flow. The rule for
//! armed slots will stand here, in [`target_of`].

use lb_common::{DropReason, Family, Listener};

use crate::{Datagram, Tables, nat::Ends, siphash::siphash13, tables::Fact};

/// The keyed hash of a flow's five-tuple (and its family): SipHash-1-3 over source address,
/// destination address (four or sixteen bytes each), source port, destination port, protocol,
/// family number and two zero bytes, all in network byte order. 16 bytes for IPv4, 40 for IPv6.
#[must_use]
#[inline(always)]
pub fn flow_hash(datagram: &Datagram, seed: [u64; 2]) -> u64 {
    hash(datagram.family, datagram.protocol, &Ends::of(datagram), seed)
}

/// [`flow_hash`] of these ends.
#[must_use]
#[inline(always)]
pub(crate) fn hash(family: Family, protocol: u8, ends: &Ends, seed: [u64; 2]) -> u64 {
    // Native words in memory order: the same bytes on every machine, and nothing to swap.
    let tail = u64::from(ends.source_port.raw.to_le())
        | u64::from(ends.destination_port.raw.to_le()) << 16
        | u64::from(protocol) << 32
        | (family as u64) << 40;
    let [source_low, source_high] = ends.source.words.map(u64::to_le);
    let [destination_low, destination_high] = ends.destination.words.map(u64::to_le);
    match family {
        Family::V4 => siphash13(seed, &[source_low | destination_low << 32, tail]),
        Family::V6 => {
            siphash13(seed, &[source_low, source_high, destination_low, destination_high, tail])
        }
    }
}

/// The id of the target that owns the slot of this flow.
#[inline(always)]
pub(crate) fn target_of<T: Tables>(
    listener: &Listener,
    hash: u64,
    tables: &T,
) -> Result<u16, DropReason> {
    let ring = tables.ring(listener.group);
    if ring.is_none() {
        return Err(DropReason::RingMissing);
    }
    let slot = ring.slot_of(hash);
    tables.note(Fact::Slot(slot as u32));
    match tables.slot(slot).current {
        0 => Err(DropReason::NoTarget),
        id => {
            tables.note(Fact::Target(id));
            Ok(id)
        }
    }
}
