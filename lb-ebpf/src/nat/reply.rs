//! Packets of targets: which binding they belong to.

use lb_common::{Binding, DropReason, Life};

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
    let hash = steer::hash_of(flow, tables);
    let index = table::find(hash, tables, |binding| is_from(binding, flow)).ok_or(Stop::Pass)?;
    let binding = tables.binding(index).ok_or(Stop::Pass)?;
    let word = tables.life(index);
    let current = Life::from_word(word);
    if current.phase != Life::LIVE {
        return Err(Stop::Pass);
    }
    tables.note(Fact::Reply);
    tables.note(Fact::Bound(index));
    tables.note(Fact::Target(binding.target));
    packet.fits_interface(binding.link.interface(), flow.length).map_err(|room| match room {
        0 => Stop::Drop(DropReason::NextHopUnresolved),
        room => forward::too_big(flow, room),
    })?;
    update_life(flow, (index, binding, word), tables);
    Ok(index)
}

/// Keeps what a packet says of its flow's life, which is this word now.
#[inline(always)]
pub(super) fn update_life<T: NatTables>(
    flow: &Datagram,
    (index, binding, word): (u32, &Binding, u64),
    tables: &T,
) {
    if let Some(flags) = sequence::believed(flow, binding, Direction::Reply) {
        let (life, now) = (Life::from_word(word), seconds(tables));
        keep(index, word, life::after(life, Direction::Reply, flags, true, now), tables);
        if let Some(word) = sequence::news(flow, binding) {
            tables.set_sequence(index, word);
        }
    }
}

/// Whether a packet is an answer of a binding's target.
#[inline(always)]
pub(super) fn is_from(binding: &Binding, flow: &Datagram) -> bool {
    speaks(binding, flow.family as u8, flow.protocol)
        && Ends::to_target(binding).turned() == Ends::of(flow)
}
