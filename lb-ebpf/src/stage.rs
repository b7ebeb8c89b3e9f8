//! The stages of the data path: each starts from the packet and ends in a [`Step`].
//!
//! In BPF each is a global function, which the verifier walks once, whoever calls it. So the rare
//! stages are out of the way of the common one, and no stack holds two big ones.

use crate::{
    Datagram, Packet, Tables, Verdict, exception, forward, icmp, link, listener, parse, stats,
    steer, step::Step, verdict::Stop,
};

/// The stages, as functions that are called on their own.
pub trait Stages<P: Packet> {
    /// See [`balance`].
    fn balance(&self, packet: &mut P) -> Step;

    /// See [`exception`].
    fn exception(&self, packet: &mut P) -> Step;

    /// See [`deliver`].
    fn deliver(&self, packet: &mut P, flow: &Datagram) -> Step;

    /// See [`too_big`].
    fn too_big(&self, packet: &mut P, room: u16) -> Verdict;

    /// See [`clamp`].
    fn clamp(&self, packet: &mut P, offset: u32, mss: u16);
}

/// The common packet: whole, TCP or UDP.
#[inline(always)]
pub fn balance<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Step {
    let common = |packet: &mut P| {
        let link = link::parse(packet)?;
        let datagram = parse::datagram(packet, &link).map_err(|fault| fault.judge(tables))?;
        to_target(packet, &link, &datagram, tables)
    };
    stats::step(common(packet), tables)
}

/// Packets that take more than a look at their transport header: fragments and ICMP. They go where
/// the flow goes that they belong to.
#[inline(always)]
pub fn exception<P: Packet, T: Tables + Stages<P>>(packet: &mut P, tables: &T) -> Step {
    match exception::flow_of(packet, tables) {
        Ok(flow) => tables.deliver(packet, &flow),
        Err(stop) => stats::step(Err(stop), tables),
    }
}

/// Forwards a packet of `flow`.
#[inline(always)]
pub fn deliver<P: Packet, T: Tables>(packet: &mut P, flow: &Datagram, tables: &T) -> Step {
    let forward = |packet: &mut P| {
        let link = link::parse(packet)?;
        let sent = to_target(packet, &link, flow, tables)?;
        exception::count(flow, tables);
        Ok(sent)
    };
    stats::step(forward(packet), tables)
}

/// Drops a packet that is longer than `room` bytes, and tells its sender.
#[inline(always)]
pub fn too_big<P: Packet, T: Tables>(packet: &mut P, room: u16, tables: &T) -> Verdict {
    icmp::too_big::answer(packet, room, tables)
}

/// Lowers the MSS option of the SYN whose TCP header is at `offset`.
#[inline(always)]
pub fn clamp<P: Packet>(packet: &mut P, offset: u32, mss: u16) {
    forward::mss::clamp(packet, offset as usize, mss);
}

/// From the flow that a packet belongs to, to its target.
#[inline(always)]
fn to_target<P: Packet, T: Tables>(
    packet: &mut P,
    link: &link::Link,
    datagram: &Datagram,
    tables: &T,
) -> Result<crate::step::Sent, Stop> {
    let listener = listener::of(datagram, tables).ok_or(Stop::Pass)?;
    let hash = steer::flow_hash(datagram, tables.hash_seed());
    let id = steer::target_of(&listener, hash, tables)?;
    let target = tables.target(id).ok_or(Stop::target_missing())?;
    let sent = forward::forward(packet, link, datagram, target, hash)?;
    stats::forwarded(&listener, id, datagram, tables);
    Ok(sent)
}
