//! Which target a flow goes to: flow hash, slot, owner. Flows of armed slots, and those of
//! listeners that track all, are looked up in the flow memory ([`recall`]).

use lb_common::{DropReason, Family, Listener, Slot, listener::protocol::TCP};

use crate::{
    Content, Datagram, Packet, Tables, ends::Ends, flow_hash, header::Tcp, link::Link,
    question::Question, quic, tables::Fact, verdict::Stop,
};

/// The hash of a packet's flow.
#[inline(always)]
pub(crate) fn hash_of<T: Tables>(datagram: &Datagram, tables: &T) -> u64 {
    hash(datagram.family, datagram.protocol, &Ends::of(datagram), tables)
}

/// The hash of the flow with these ends.
#[inline(always)]
pub(crate) fn hash<T: Tables>(family: Family, protocol: u8, ends: &Ends, tables: &T) -> u64 {
    flow_hash::of(family, protocol, ends, |index| tables.hash_key(index))
}

/// Index of the slot of a flow.
#[inline(always)]
pub(crate) fn slot_of<T: Tables>(
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &T,
) -> Result<usize, DropReason> {
    let ring = tables.ring(listener.group);
    if ring.is_none() {
        return Err(DropReason::RingMissing);
    }
    let sticky = listener.flags & Listener::STICKY != 0;
    let hash =
        if sticky { flow_hash::of_client(datagram, |index| tables.hash_key(index)) } else { hash };
    let index = ring.slot_of(hash);
    tables.note(Fact::Slot(index as u32));
    Ok(index)
}

/// The current owner of a flow's slot.
#[inline(always)]
pub(crate) fn current_of<T: Tables>(
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &T,
) -> Result<u16, DropReason> {
    let index = slot_of(listener, datagram, hash, tables)?;
    match tables.owner(index).current() {
        0 => Err(DropReason::NoTarget),
        id => Ok(id),
    }
}

/// The id of the target that a packet goes to; 0 means none.
#[inline(always)]
pub(crate) fn target_of<P: Packet, T: Tables>(
    packet: &P,
    link: &Link,
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &T,
) -> Result<u16, Stop> {
    let index = slot_of(listener, datagram, hash, tables)?;
    let owner = tables.owner(index);
    let is_tracked = listener.flags & Listener::TRACKED != 0;
    if !owner.is_armed() && !is_tracked {
        return Ok(owner.current());
    }
    let slot = if owner.is_armed() { tables.armed(index) } else { Slot::unarmed(owner.current()) };
    if !slot.is_armed() && !is_tracked {
        return Ok(slot.current);
    }
    let flags = flags(packet, link, listener, datagram);
    let (index, timeout) = (index as u32, listener.idle_timeout);
    tables.recall(&Question { hash, slot, index, timeout, flags }).target()
}

/// The properties of a packet that the flow memory needs.
#[inline(always)]
fn flags<P: Packet>(packet: &P, link: &Link, listener: &Listener, datagram: &Datagram) -> u16 {
    let whole = matches!(datagram.content, Content::Whole);
    let own = whole || matches!(datagram.content, Content::FirstFragment);
    let is_quic = listener.flags & Listener::QUIC != 0;
    let opens = own && (datagram.is_syn() || is_quic && quic::is_initial(packet, link, datagram));
    let mut flags = 0;
    if opens {
        flags |= Question::OPENS;
    }
    if own {
        flags |= Question::LEARNS;
    }
    if listener.flags & Listener::TRACKED != 0 {
        flags |= Question::TRACKED;
    }
    let resets = listener.flags & Listener::RESETS != 0 && datagram.protocol == TCP;
    if resets && whole && !opens && datagram.tcp_flags & Tcp::RST == 0 {
        flags |= Question::RESETS;
    }
    flags
}
