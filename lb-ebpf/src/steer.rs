//! Which target a flow goes to: flow hash, slot, owner. Flows of armed slots, and those of listeners
//! that track all, take a look at what is remembered ([`recall`]).

use lb_common::{DropReason, Family, Listener, Slot, listener::protocol::TCP};

use crate::{
    Content, Datagram, Packet, Tables, header::Tcp, link::Link, nat::Ends, quic, recall::Question,
    siphash::siphash13, tables::Fact, verdict::Stop,
};

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

/// The keyed hash of a client's address: SipHash-1-3 over it and its family number, as one word in
/// network byte order (two for IPv6).
#[must_use]
#[inline(always)]
fn client_hash(datagram: &Datagram, seed: [u64; 2]) -> u64 {
    let [low, high] = datagram.source.words.map(u64::to_le);
    match datagram.family {
        Family::V4 => siphash13(seed, &[low, Family::V4 as u64]),
        Family::V6 => siphash13(seed, &[low, high, Family::V6 as u64]),
    }
}

/// The slot of a flow, and its index.
#[inline(always)]
pub(crate) fn slot_of<T: Tables>(
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &T,
) -> Result<(u32, Slot), DropReason> {
    let ring = tables.ring(listener.group);
    if ring.is_none() {
        return Err(DropReason::RingMissing);
    }
    let sticky = listener.flags & Listener::STICKY != 0;
    let hash = if sticky { client_hash(datagram, tables.hash_seed()) } else { hash };
    let index = ring.slot_of(hash);
    tables.note(Fact::Slot(index as u32));
    Ok((index as u32, tables.slot(index)))
}

/// The current owner of a flow's slot.
#[inline(always)]
pub(crate) fn current_of<T: Tables>(
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &T,
) -> Result<u16, DropReason> {
    match slot_of(listener, datagram, hash, tables)?.1.current {
        0 => Err(DropReason::NoTarget),
        id => Ok(id),
    }
}

/// The id of the target that a packet goes to.
#[inline(always)]
pub(crate) fn target_of<P: Packet, T: Tables>(
    packet: &P,
    link: &Link,
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &T,
) -> Result<u16, Stop> {
    let (index, slot) = slot_of(listener, datagram, hash, tables)?;
    let id = if slot.is_armed() || listener.flags & Listener::TRACKED != 0 {
        let flags = flags(packet, link, listener, datagram);
        let timeout = listener.idle_timeout;
        tables.recall(&Question { hash, slot, index, timeout, flags }).target()?
    } else if slot.current == 0 {
        return Err(DropReason::NoTarget.into());
    } else {
        slot.current
    };
    tables.note(Fact::Target(id));
    Ok(id)
}

/// What is to be said of a packet to whoever remembers flows.
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
