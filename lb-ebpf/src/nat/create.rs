//! Makes the binding of a new flow.

use lb_common::{Binding, Counter, DropReason, Life, Listener, Mode, Pool, Target, nat::Queue};

use super::{Ends, NatTables, expire, life, seconds, table};
use crate::{
    Content, Datagram, Packet, header::Tcp, link, listener, steer, tables::Fact, verdict::Stop,
};

/// Times that a binding is taken, when the first ones have not rested: those behind have rested
/// less.
const TAKES: usize = 2;

/// Makes the binding of the flow that `packet` begins, so that its packets are translated; gives the
/// number of its pool.
#[inline(always)]
pub(crate) fn binding<P: Packet, T: NatTables>(
    packet: &P,
    flow: &Datagram,
    tables: &T,
) -> Result<u32, Stop> {
    if !begins(flow) {
        return Err(DropReason::FlowUnknown.into());
    }
    let listener = listener::of(flow, tables).ok_or(Stop::Pass)?;
    let hash = steer::hash_of(flow, tables);
    let id = steer::current_of(&listener, flow, hash, tables)?;
    tables.note(Fact::Target(id));
    let target = tables.target(id).ok_or(Stop::target_missing())?;
    let queue = queue(target, flow)?;
    let Some((index, life)) = take(queue, tables) else {
        let is_hairpin = queue != Queue::Nat && target.mode == Mode::Nat as u8;
        return Err(if is_hairpin {
            DropReason::HairpinRefused.into()
        } else {
            Stop::Exhausted(queue)
        });
    };
    tables.note(Fact::NewBinding(index));
    let made = fill(packet, flow, &listener, id, target, index, tables).and_then(|binding| {
        enter(index, life, hash, &binding, tables)?;
        Ok(u32::from(binding.pool))
    });
    made.map_err(|reason| {
        tables.give_back(queue, index);
        reason.into()
    })
}

/// Takes a binding that has rested, or else one whose flow has ended or not begun; and its life.
#[inline(always)]
fn take<T: NatTables>(queue: Queue, tables: &T) -> Option<(u32, u64)> {
    for _ in 0..TAKES {
        let Some(index) = tables.take_free(queue) else { break };
        let life = tables.life(index);
        if life::has_rested(Life::from_word(life), seconds(tables)) {
            return Some((index, life));
        }
        tables.give_back(queue, index);
    }
    let index = tables.evict(queue)?;
    Some((index, tables.life(index)))
}

/// Whether a packet may begin a flow. One of a TCP connection may, whatever it is (its flow may have
/// been forgotten, or have begun before this balancer did): the target answers what it does not
/// know with RST, and the client learns. Only RST has no answer.
#[inline(always)]
const fn begins(flow: &Datagram) -> bool {
    let whole = matches!(flow.content, Content::Whole | Content::FirstFragment);
    whole && flow.tcp_flags & Tcp::RST == 0
}

/// Where the binding comes from. A target that is its own client (a hairpin) would get packets from its
/// own address in mode nat, and drop them: its flows get an address of the balancer, as in mode
/// fullnat, where the configuration has any.
#[inline(always)]
fn queue(target: &Target, flow: &Datagram) -> Result<Queue, DropReason> {
    match Mode::try_from(target.mode) {
        // The configuration has only targets of the listener's family in these modes.
        _ if target.family != flow.family as u8 => Err(DropReason::ModeUnknown),
        Ok(Mode::Nat) if target.address != flow.source => Ok(Queue::Nat),
        Ok(Mode::Nat | Mode::Fullnat) => Ok(Queue::of(flow.family)),
        _ => Err(DropReason::ModeUnknown),
    }
}

/// Writes the binding, but for its life.
#[inline(always)]
fn fill<P: Packet, T: NatTables>(
    packet: &P,
    flow: &Datagram,
    listener: &Listener,
    id: u16,
    target: &Target,
    index: u32,
    tables: &T,
) -> Result<Binding, DropReason> {
    let malformed = DropReason::TransportHeaderMalformed;
    let link = link::parse(packet).map_err(|_| malformed)?;
    let link = super::client_link(packet, &link).ok_or(malformed)?;
    // A binding of mode fullnat always has the same address and port.
    let free = tables.binding(index).ok_or(DropReason::PoolExhausted)?;
    let is_nat = usize::from(free.pool) == Pool::NAT;
    let binding = Binding {
        life: 0,
        client_port: flow.source_port,
        vip_port: flow.destination_port,
        local_port: if is_nat { flow.source_port } else { free.local_port },
        target_port: target.port,
        client: flow.source,
        vip: flow.destination,
        local: if is_nat { flow.source } else { free.local },
        target_address: target.address,
        link,
        family: flow.family as u8,
        protocol: flow.protocol,
        pool: free.pool,
        reserved: 0,
        target: id,
        idle_timeout: listener.idle_timeout,
        sequence: 0,
    };
    tables.write_binding(index, &binding);
    Ok(binding)
}

/// Lets packets find it, in both directions.
#[inline(always)]
fn enter<T: NatTables>(
    index: u32,
    life: u64,
    hash: u64,
    binding: &Binding,
    tables: &T,
) -> Result<(), DropReason> {
    if usize::from(binding.pool) == Pool::NAT {
        let reply = expire::reply_hash(binding, tables);
        // Two listeners may lead one client port to one target port: its answers could not be told
        // apart.
        if table::find(reply, tables, |other| {
            super::speaks(other, binding.family, binding.protocol)
                && Ends::to_target(other) == Ends::to_target(binding)
        })
        .is_some()
        {
            return Err(DropReason::TupleTaken);
        }
        table::insert(reply, index, tables).map_err(|_| DropReason::FlowTableFull)?;
        if table::insert(hash, index, tables).is_err() {
            table::remove(reply, index, tables);
            return Err(DropReason::FlowTableFull);
        }
    } else {
        table::insert(hash, index, tables).map_err(|_| DropReason::FlowTableFull)?;
    }
    let new = Life { seen: seconds(tables), phase: Life::LIVE, flags: 0 };
    tables.count(Counter::FlowCreated.index());
    // Nobody else has taken it.
    let _mine = tables.swap_life(index, life, new.to_word());
    Ok(())
}
