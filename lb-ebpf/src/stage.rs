//! The stages of the data path: each starts from the packet and ends in a [`Step`].
//!
//! In BPF each is a global function, which the verifier checks once, regardless of its callers. So
//! the rare stages are separate from the common one, and no stack frame has two big ones.

use lb_common::{DropReason, Family, Listener, Switches, Target, target::Shape};

use crate::{
    Datagram, Packet, Tables, Verdict, exception, forward, icmp, link, listener,
    nat::{self, NatTables, create::Chosen, life::Direction},
    parse, plain, reset, stats, steer,
    step::{Sent, Step},
    tables::Fact,
    verdict::Stop,
};

/// The stages, as separate functions.
pub trait Stages<P: Packet> {
    /// See [`plain`].
    fn plain(&self, packet: &mut P) -> Step;

    /// Continues with [`crate::process_rest`], in BPF by a tail call.
    fn rest(&self, packet: &mut P, first: Step) -> Verdict;

    /// Continues with [`crate::process_translated`], in BPF by a tail call.
    fn translate(&self, packet: &mut P) -> Verdict;

    /// See [`balance`].
    fn balance(&self, packet: &mut P) -> Step;

    /// See [`read`].
    fn read(&self, packet: &mut P, flow: &mut Datagram) -> Step;

    /// See [`deliver`].
    fn deliver(&self, packet: &mut P, flow: &Datagram) -> Step;

    /// See [`translate_plain`].
    fn translate_plain(&self, packet: &mut P) -> Step;

    /// See [`request`].
    fn request(&self, packet: &mut P, flow: &Datagram) -> Step;

    /// See [`choose`].
    fn choose(&self, packet: &mut P, flow: &Datagram) -> Step;

    /// See [`bind`].
    fn bind(&self, packet: &mut P, flow: &Datagram, chosen: Chosen) -> Step;

    /// See [`expire`].
    fn expire(&self, packet: &mut P, now: u32);

    /// See [`reply`].
    fn reply(&self, packet: &mut P, flow: &Datagram) -> Step;

    /// See [`write`].
    fn write(
        &self,
        packet: &mut P,
        flow: &Datagram,
        index: u32,
        direction: Direction,
        listener: u16,
    ) -> Step;

    /// See [`exhausted`].
    fn exhausted(&self) -> Step;

    /// See [`too_big`].
    fn too_big(&self, packet: &mut P, room: u16) -> Verdict;

    /// See [`reset`].
    fn reset(&self, packet: &mut P) -> Verdict;

    /// See [`echo`].
    fn echo(&self, packet: &mut P) -> Verdict;

    /// See [`clamp`].
    fn clamp(&self, packet: &mut P, offset: u32, mss: u16);
}

/// The most frequent packet, to a target without translation.
#[inline(always)]
pub fn plain<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Step {
    let read = match plain::family(packet, tables) {
        Some(Family::V4) => plain::v4(packet).map(|datagram| send_plain(packet, &datagram, tables)),
        Some(Family::V6) => plain::v6(packet).map(|datagram| send_plain(packet, &datagram, tables)),
        None => None,
    };
    read.unwrap_or(Step::NotPlain)
}

#[inline(always)]
fn send_plain<P: Packet, T: Tables>(packet: &mut P, datagram: &Datagram, tables: &T) -> Step {
    let link = link::Link::untagged(datagram.family);
    stats::step(to_target::<_, _, true>(packet, &link, datagram, tables), tables)
}

/// The common packet: whole, TCP or UDP; tagged or not, with whatever options.
#[inline(always)]
pub fn balance<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Step {
    let common = |packet: &mut P| {
        let link = link::parse(packet)?;
        link::is_for_us(packet, tables)?;
        let datagram = parse::datagram(packet, &link).map_err(|fault| fault.judge(tables))?;
        to_target::<_, _, false>(packet, &link, &datagram, tables)
    };
    stats::step(common(packet), tables)
}

/// Reads the flow that a packet belongs to: also that of a fragment, or of the packet in an ICMP
/// error. Pings have none.
#[inline(always)]
pub fn read<P: Packet, T: Tables>(packet: &mut P, flow: &mut Datagram, tables: &T) -> Step {
    match exception::flow_of(packet, tables) {
        Ok(found) => {
            *flow = found;
            Step::Read
        }
        Err(stop) => stats::step(Err(stop), tables),
    }
}

/// Counts a packet whose new flow found no binding.
#[inline(always)]
pub fn exhausted<T: Tables>(tables: &T) -> Step {
    stats::step(Err(DropReason::PoolExhausted.into()), tables)
}

/// Translates the most frequent packet: plain, of a flow whose binding is known. All others are left
/// unchanged to the other stages.
#[inline(always)]
pub fn translate_plain<P: Packet, T: NatTables>(packet: &mut P, tables: &T) -> Step {
    use nat::plain::translate;
    let sent = match plain::ip(packet) {
        Some(Family::V4) => plain::v4(packet)
            .and_then(|flow| translate::<_, _, plain::HeadV4>(packet, flow, tables)),
        Some(Family::V6) => plain::v6(packet)
            .and_then(|flow| translate::<_, _, plain::HeadV6>(packet, flow, tables)),
        None => None,
    };
    sent.map_or(Step::NotPlain, Step::Sent)
}

/// Finds the binding of a packet of a client.
#[inline(always)]
pub fn request<T: NatTables>(flow: &Datagram, tables: &T) -> Step {
    match nat::request::find(flow, tables) {
        Ok((index, listener)) => Step::Bound { index, listener },
        Err(stop) => stats::step(Err(stop), tables),
    }
}

/// Finds the binding of a packet of a target.
#[inline(always)]
pub fn reply<P: Packet, T: NatTables>(packet: &P, flow: &Datagram, tables: &T) -> Step {
    match nat::reply::find(packet, flow, tables) {
        Ok(index) => Step::Bound { index, listener: 0 },
        Err(stop) => stats::step(Err(stop), tables),
    }
}

/// Translates a packet by the binding with this index; a request is for the listener with this id.
#[inline(always)]
pub fn write<P: Packet, T: NatTables>(
    packet: &mut P,
    flow: &Datagram,
    index: u32,
    direction: Direction,
    listener: u16,
    tables: &T,
) -> Step {
    stats::step(nat::forward::write(packet, flow, index, direction, listener, tables), tables)
}

/// Chooses what the binding of a new flow is made of.
#[inline(always)]
pub fn choose<T: NatTables>(flow: &Datagram, tables: &T) -> Step {
    match nat::create::choose(flow, tables) {
        Ok(chosen) => Step::Chosen(chosen),
        Err(Stop::Exhausted) => Step::Created { made: false, now: nat::seconds(tables) },
        Err(stop) => stats::step(Err(stop), tables),
    }
}

/// Makes the binding of a new flow.
#[inline(always)]
pub fn bind<P: Packet, T: NatTables>(
    packet: &mut P,
    flow: &Datagram,
    chosen: Chosen,
    tables: &T,
) -> Step {
    match nat::create::bind(packet, flow, chosen, tables) {
        Ok(()) => Step::Created { made: true, now: nat::seconds(tables) },
        Err(stop) => stats::step(Err(stop), tables),
    }
}

/// Looks for flows that have ended.
#[inline(always)]
pub fn expire<T: NatTables>(now: u32, tables: &T) {
    nat::expire::look(now, tables);
}

/// Forwards a packet of `flow`.
#[inline(always)]
pub fn deliver<P: Packet, T: Tables>(packet: &mut P, flow: &Datagram, tables: &T) -> Step {
    let forward = |packet: &mut P| {
        let link = link::parse(packet)?;
        let sent = to_target::<_, _, false>(packet, &link, flow, tables)?;
        exception::count(flow, tables);
        Ok(sent)
    };
    stats::step(forward(packet), tables)
}

/// Drops a packet that is longer than `room` bytes, and sends an ICMP error.
#[inline(always)]
pub fn too_big<P: Packet, T: Tables>(packet: &mut P, room: u16, tables: &T) -> Verdict {
    icmp::too_big::answer(packet, room, tables)
}

/// Answers a TCP packet whose target was removed with RST.
#[inline(always)]
pub fn reset<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    reset::answer(packet, tables)
}

/// Answers a ping to a VIP.
#[inline(always)]
pub fn echo<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    icmp::echo::answer(packet, tables)
}

/// Lowers the MSS option of the SYN whose TCP header is at `offset`.
#[inline(always)]
pub fn clamp<P: Packet>(packet: &mut P, offset: u32, mss: u16) {
    forward::mss::clamp(packet, offset as usize, mss);
}

/// From the flow that a packet belongs to, to its target. With `PLAIN`, packets without a result go
/// to the other program.
#[inline(always)]
fn to_target<P: Packet, T: Tables, const PLAIN: bool>(
    packet: &mut P,
    link: &link::Link,
    datagram: &Datagram,
    tables: &T,
) -> Result<Sent, Stop> {
    let listener = listener::of(datagram, tables).ok_or_else(|| unlisted(tables))?;
    tables.note(Fact::Listener(listener));
    if listener.flags & Listener::NAT != 0 {
        return Err(Stop::Translate);
    }
    let hash = steer::hash_of(datagram, tables);
    let way = way::<_, _, PLAIN>(packet, link, &listener, datagram, hash, tables);
    let (id, target, shape) = match way {
        Ok(way) => way,
        // The packet is unchanged: the other program finds the reason, and reports it.
        Err(_) if PLAIN => return Err(Stop::NotPlain),
        Err(stop) => return Err(stop),
    };
    // Before it is written: steps after the move of a packet cannot begin before.
    stats::forwarded(listener.id, id, datagram, tables);
    match forward::forward::<_, PLAIN>(packet, link, datagram, target, shape, hash) {
        Ok(sent) => Ok(sent),
        Err(exhausted) => {
            stats::not_forwarded(listener.id, id, datagram, tables);
            Err(exhausted.into())
        }
    }
}

/// The destination of a packet: the target, its id, and the headers for the packet.
#[inline(always)]
fn way<'a, P: Packet, T: Tables, const PLAIN: bool>(
    packet: &P,
    link: &link::Link,
    listener: &Listener,
    datagram: &Datagram,
    hash: u64,
    tables: &'a T,
) -> Result<(u16, &'a Target, Shape), Stop> {
    let id = steer::target_of(packet, link, listener, datagram, hash, tables)?;
    // Id 0 is not a target, either; a missing target is another error.
    if !PLAIN && id == 0 {
        return Err(DropReason::NoTarget.into());
    }
    let target = tables.target(id).ok_or(Stop::target_missing())?;
    if PLAIN && !target.is_plain() {
        return Err(Stop::NotPlain);
    }
    tables.note(Fact::Target(id));
    if !PLAIN && !target.is_resolved() {
        return Err(DropReason::NextHopUnresolved.into());
    }
    let shape = Shape::try_from(target.shape).map_err(|_| DropReason::ModeUnknown)?;
    forward::fits(datagram, target)?;
    Ok((id, target, shape))
}

/// Packets for no listener pass; but they may be answers of a target.
#[inline(always)]
fn unlisted<T: Tables>(tables: &T) -> Stop {
    if tables.switches().has(Switches::NAT) { Stop::Translate } else { Stop::Pass }
}
