//! Packets of targets: which binding they belong to.

use lb_common::{Binding, DropReason, Life, Pool, nat::POOLS_MAX};

use super::{
    Ends, NatTables, life, life::Direction, request::keep, seconds, sequence, speaks, table,
};
use crate::{Datagram, Packet, forward, steer, tables::Fact, verdict::Stop};

/// The binding of a packet that can go back to its client; what belongs to none is the host's.
#[inline(always)]
pub(crate) fn find<P: Packet, T: NatTables>(
    packet: &P,
    flow: &Datagram,
    tables: &T,
) -> Result<u32, Stop> {
    let index = candidate(flow, tables).ok_or(Stop::Pass)?;
    let binding = tables.binding(index).ok_or(Stop::Pass)?;
    let word = tables.life(index);
    let current = Life::from_word(word);
    if current.phase != Life::LIVE || !is_from(binding, flow) {
        return Err(Stop::Pass);
    }
    tables.note(Fact::Reply);
    tables.note(Fact::Bound(index));
    tables.note(Fact::Target(binding.target));
    packet.fits_interface(binding.link.interface(), flow.length).map_err(|room| match room {
        0 => Stop::Drop(DropReason::NextHopUnresolved),
        room => forward::too_big(flow, room),
    })?;
    if sequence::counts(flow, binding, Direction::Reply) {
        let next = life::after(current, Direction::Reply, flow.tcp_flags, seconds(tables));
        keep(index, word, next, tables);
        if let Some(word) = sequence::news(flow, binding) {
            tables.set_sequence(index, word);
        }
    }
    Ok(index)
}

/// The binding that an answer may belong to.
#[inline(always)]
fn candidate<T: NatTables>(flow: &Datagram, tables: &T) -> Option<u32> {
    for number in Pool::NAT + 1..POOLS_MAX {
        let pool = tables.pool(number);
        // An address may have several pools, with other ports each.
        if pool.count != 0
            && pool.family == flow.family as u8
            && pool.address == flow.destination
            && let Some(index) = pool.binding_of(flow.destination_port.get())
        {
            return Some(index);
        }
    }
    let hash = steer::hash_of(flow, tables);
    table::find(hash, tables, |binding| is_from(binding, flow))
}

/// Whether a packet is an answer of a binding's target.
#[inline(always)]
fn is_from(binding: &Binding, flow: &Datagram) -> bool {
    speaks(binding, flow.family as u8, flow.protocol)
        && Ends::to_target(binding).turned() == Ends::of(flow)
}
