//! Makes the binding of a new flow.

use lb_common::{Be16, Binding, Counter, DropReason, Life, Mode, Target, explain::Explanation};

use super::{NatTables, expire, life, seconds, table};
use crate::{
    Content, Datagram, Packet, header::Tcp, link, listener, steer, tables::Fact, verdict::Stop,
};

/// Attempts to allocate a binding, if the first ones cannot be reused yet: later ones were freed
/// later.
const TAKES: usize = 2;

/// The choice for the binding of a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Index of the pool of its source address, or [`Chosen::CLIENT`].
    pub pool: u8,
    /// The source port, in host byte order; unused with the client's address.
    pub port: u16,
    /// Index of the binding, which is the flow's.
    pub index: u32,
}

impl Chosen {
    /// In place of a pool: the flow keeps the client's address and port.
    pub const CLIENT: u8 = u8::MAX;
}

/// Chooses the source address and port of a new flow, and allocates a binding for it.
///
/// It is separate from [`bind`], so that no stack frame has both the candidates and the binding.
#[inline(always)]
pub(crate) fn choose<T: NatTables>(flow: &Datagram, tables: &T) -> Result<Chosen, Stop> {
    if !begins(flow) {
        return Err(DropReason::FlowUnknown.into());
    }
    let listener = listener::of(flow, tables).ok_or(Stop::Pass)?;
    let hash = steer::hash_of(flow, tables);
    let id = steer::current_of(&listener, flow, hash, tables)?;
    tables.note(Fact::Target(id));
    let target = tables.target(id).ok_or(Stop::target_missing())?;
    if is_clients(target, flow)? {
        tables.note(Fact::NewBinding(Explanation::CLIENT));
        let index = take(tables).ok_or(Stop::Exhausted)?;
        return Ok(Chosen { pool: Chosen::CLIENT, port: 0, index });
    }
    let source = tables.choose_source(flow, id, hash);
    if !source.is_found() {
        let is_hairpin = target.mode == Mode::Nat as u8;
        return Err(if is_hairpin { DropReason::HairpinRefused.into() } else { Stop::Exhausted });
    }
    tables.note(Fact::NewBinding(source.noted()));
    let index =
        if source.takes_over() { source.index() } else { take(tables).ok_or(Stop::Exhausted)? };
    Ok(Chosen { pool: source.pool() as u8, port: source.port(), index })
}

/// Makes the binding of the flow that `packet` begins, so that its packets are translated.
#[inline(always)]
pub(crate) fn bind<P: Packet, T: NatTables>(
    packet: &P,
    flow: &Datagram,
    chosen: Chosen,
    tables: &T,
) -> Result<(), Stop> {
    let life = tables.life(chosen.index);
    let made = fill(packet, flow, chosen, tables)
        .and_then(|(binding, hash)| Ok(enter(chosen.index, life, hash, &binding, tables)?));
    if made.is_err() {
        tables.give_back(chosen.index);
    }
    made
}

/// Takes a binding that can be reused, or else one whose flow has ended or not begun.
#[inline(always)]
fn take<T: NatTables>(tables: &T) -> Option<u32> {
    let now = seconds(tables);
    for _ in 0..TAKES {
        let Some(index) = tables.take() else { break };
        if life::has_rested(Life::from_word(tables.life(index)), now) {
            return Some(index);
        }
        tables.give_back(index);
    }
    tables.evict(now)
}

/// Whether a packet may begin a flow. Any packet of a TCP connection may (its flow may have been
/// forgotten, or have begun before this balancer): the target answers unknown packets with RST, and
/// the client learns it. Only RST has no answer.
#[inline(always)]
const fn begins(flow: &Datagram) -> bool {
    let whole = matches!(flow.content, Content::Whole | Content::FirstFragment);
    whole && flow.tcp_flags & Tcp::RST == 0
}

/// Whether the target sees the client's address. A target that is its own client (a hairpin) would
/// get packets from its own address in mode nat, and drop them: its flows get a source address of
/// the balancer, as in mode fullnat, if the configuration has one.
#[inline(always)]
fn is_clients(target: &Target, flow: &Datagram) -> Result<bool, DropReason> {
    match Mode::try_from(target.mode) {
        // The configuration has only targets of the listener's family in these modes.
        _ if target.family != flow.family as u8 => Err(DropReason::ModeUnknown),
        Ok(Mode::Nat) => Ok(target.address != flow.source),
        Ok(Mode::Fullnat) => Ok(false),
        _ => Err(DropReason::ModeUnknown),
    }
}

/// Writes the binding, except for its life; gives it, and the hash of the flow.
#[inline(always)]
fn fill<P: Packet, T: NatTables>(
    packet: &P,
    flow: &Datagram,
    chosen: Chosen,
    tables: &T,
) -> Result<(Binding, u64), Stop> {
    let malformed = DropReason::TransportHeaderMalformed;
    let link = link::parse(packet).map_err(|_| malformed)?;
    let link = super::client_link(packet, &link).ok_or(malformed)?;
    // As for `choose`, but the configuration may change between the two: then this is right, and
    // the insertion detects a used tuple.
    let listener = listener::of(flow, tables).ok_or(Stop::Pass)?;
    let hash = steer::hash_of(flow, tables);
    let id = steer::current_of(&listener, flow, hash, tables)?;
    let target = tables.target(id).ok_or(Stop::target_missing())?;
    let (local, local_port) = if is_clients(target, flow)? {
        (flow.source, flow.source_port)
    } else {
        (tables.pool(chosen.pool.into()).address, Be16::new(chosen.port))
    };
    let binding = Binding {
        life: 0,
        client_port: flow.source_port,
        vip_port: flow.destination_port,
        local_port,
        target_port: target.port,
        client: flow.source,
        vip: flow.destination,
        local,
        target_address: target.address,
        link,
        family: flow.family as u8,
        protocol: flow.protocol,
        listener: listener.id,
        target: id,
        idle_timeout: listener.idle_timeout,
        sequence: 0,
    };
    tables.write_binding(chosen.index, &binding);
    Ok((binding, hash))
}

/// Inserts it into the flow table, in both directions.
#[inline(always)]
fn enter<T: NatTables>(
    index: u32,
    life: u64,
    hash: u64,
    binding: &Binding,
    tables: &T,
) -> Result<(), DropReason> {
    let reply = expire::reply_hash(binding, tables);
    table::insert(reply, index, tables).map_err(|_| DropReason::FlowTableFull)?;
    // In mode nat, two listeners may map one client port to one target port, and two CPUs may have
    // found one port free: answers would be ambiguous.
    let entered = if table::is_double(reply, tables) {
        Err(DropReason::TupleTaken)
    } else {
        table::insert(hash, index, tables).map_err(|_| DropReason::FlowTableFull)
    };
    if let Err(reason) = entered {
        table::remove(reply, index, tables);
        return Err(reason);
    }
    let new = Life { seen: seconds(tables), phase: Life::LIVE, flags: 0 };
    tables.count(Counter::FlowCreated.index());
    // No other flow has taken it.
    let _mine = tables.swap_life(index, life, new.to_word());
    Ok(())
}
