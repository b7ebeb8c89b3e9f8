//! Translates the packet that nearly all are: plain, of a flow that has a binding.
//!
//! All else is left to the stages for all packets, which find out why: so this writes nothing before
//! it is sure, and knows no reasons. What it writes is written in words, and checksums change by sums
//! of those.

use core::mem::offset_of;

use lb_common::{
    Address, Be16, Binding, ClientLink, Counter, Life, Listener, Mac, listener::protocol::TCP,
};

use super::{NatTables, reply, request, table};
use crate::{
    Datagram, Packet, Wire,
    checksum::{self, replaced},
    forward,
    header::{Ethernet, Tcp},
    listener,
    packet::Words,
    plain::{HeadV4, HeadV6},
    stats, steer,
    step::Sent,
    tables::Fact,
};

/// What a packet becomes.
pub(crate) struct Wanted<'a> {
    /// Both MAC addresses: the first twelve bytes of two words in memory order.
    macs: [u64; 2],
    source: &'a Address,
    destination: &'a Address,
    source_port: Be16,
    destination_port: Be16,
}

/// The headers of a plain packet.
pub(crate) trait Head: Wire {
    /// How many more hops it may take, this one included.
    fn hops(&self) -> u8;

    /// Its transport header; that of UDP is shorter.
    fn transport(&mut self) -> &mut Tcp;

    /// Writes all but the ports and what is behind them.
    fn write<P: Words>(&mut self, wanted: &Wanted<'_>, change: u32);
}

impl Head for HeadV4 {
    #[inline(always)]
    fn hops(&self) -> u8 {
        self.ip.ttl
    }

    #[inline(always)]
    fn transport(&mut self) -> &mut Tcp {
        &mut self.tcp
    }

    #[inline(always)]
    fn write<P: Words>(&mut self, wanted: &Wanted<'_>, change: u32) {
        let ([source, _], [destination, _]) = (wanted.source.words, wanted.destination.words);
        let old = u16::from_ne_bytes([self.ip.ttl, self.ip.protocol]);
        let ttl = self.ip.ttl.wrapping_sub(1);
        let new = u16::from_ne_bytes([ttl, self.ip.protocol]);
        let sum = checksum::apply(self.ip.checksum, change + checksum::swap(old, new));
        (self.ip.ttl, self.ip.checksum) = (ttl, sum);
        P::put_four::<{ offset_of!(HeadV4, ip.source) }, _>(self, source);
        P::put_four::<{ offset_of!(HeadV4, ip.destination) }, _>(self, destination);
    }
}

impl Head for HeadV6 {
    #[inline(always)]
    fn hops(&self) -> u8 {
        self.ip.hop_limit
    }

    #[inline(always)]
    fn transport(&mut self) -> &mut Tcp {
        &mut self.tcp
    }

    #[inline(always)]
    fn write<P: Words>(&mut self, wanted: &Wanted<'_>, _change: u32) {
        const SOURCE: usize = offset_of!(HeadV6, ip.source);
        const DESTINATION: usize = offset_of!(HeadV6, ip.destination);
        let [source, source_end] = wanted.source.words;
        let [destination, destination_end] = wanted.destination.words;
        self.ip.hop_limit = self.ip.hop_limit.wrapping_sub(1);
        P::put_eight::<SOURCE, _>(self, source);
        P::put_eight::<{ SOURCE + 8 }, _>(self, source_end);
        P::put_eight::<DESTINATION, _>(self, destination);
        P::put_eight::<{ DESTINATION + 8 }, _>(self, destination_end);
    }
}

/// Translates a plain packet of this flow; `None` leaves it, unchanged, to other stages.
#[inline(always)]
pub(crate) fn translate<P: Packet, T: NatTables, H: Head>(
    packet: &mut P,
    flow: Datagram,
    tables: &T,
) -> Option<Sent> {
    let flow = with_sequence(packet, flow)?;
    let hash = steer::hash_of(&flow, tables);
    if packet.get::<H>(0)?.hops() <= 1 {
        return None;
    }
    match listener::of(&flow, tables) {
        Some(listener) => to_target::<_, _, H>(packet, &flow, listener, hash, tables),
        None => to_client::<_, _, H>(packet, &flow, hash, tables),
    }
}

/// Bindings also want to know where a segment is in its stream.
#[inline(always)]
fn with_sequence<P: Packet>(packet: &P, flow: Datagram) -> Option<Datagram> {
    if flow.protocol != TCP {
        return Some(flow);
    }
    let tcp = packet.get::<Tcp>(Ethernet::LEN + usize::from(flow.header_length))?;
    Some(Datagram { sequence: tcp.place(), ..flow })
}

#[inline(always)]
fn to_target<P: Packet, T: NatTables, H: Head>(
    packet: &mut P,
    flow: &Datagram,
    listener: Listener,
    hash: u64,
    tables: &T,
) -> Option<Sent> {
    let known = find(hash, tables, |binding| request::is_from(binding, flow))?;
    let (index, binding, life) = known;
    let target = request::next_target(flow, binding, Life::from_word(life), tables)?;
    let moved = link(packet)?.differs(&binding.link);
    if !target.is_plain() || forward::fits(flow, target).is_err() || moved {
        return None;
    }
    tables.note(Fact::Listener(listener));
    tables.note(Fact::Bound(index));
    tables.note(Fact::Target(binding.target));
    request::update_life(flow, known, tables);
    stats::forwarded(listener.id, binding.target, flow, tables);
    let sent = forward::sent(packet, target.interface, flow, Ethernet::LEN, target.mss);
    let [first, second, ..] = target.head;
    let wanted = Wanted {
        macs: [first, second],
        source: &binding.local,
        destination: &binding.target_address,
        source_port: binding.local_port,
        destination_port: binding.target_port,
    };
    write::<_, H>(packet, flow, &wanted)?;
    Some(sent)
}

#[inline(always)]
fn to_client<P: Packet, T: NatTables, H: Head>(
    packet: &mut P,
    flow: &Datagram,
    hash: u64,
    tables: &T,
) -> Option<Sent> {
    let known = find(hash, tables, |binding| reply::is_from(binding, flow))?;
    let (index, binding, _) = known;
    let interface = binding.link.interface();
    if binding.link.tag_count() != 0 || packet.fits_interface(interface, flow.length).is_err() {
        return None;
    }
    tables.note(Fact::Reply);
    tables.note(Fact::Bound(index));
    tables.note(Fact::Target(binding.target));
    reply::update_life(flow, known, tables);
    tables.count(Counter::ReplyForwarded.index());
    let mss = tables.target(binding.target).map_or(0, |target| target.mss);
    let sent = forward::sent(packet, interface, flow, Ethernet::LEN, mss);
    let wanted = Wanted {
        macs: binding.link.macs(),
        source: &binding.vip,
        destination: &binding.client,
        source_port: binding.vip_port,
        destination_port: binding.client_port,
    };
    write::<_, H>(packet, flow, &wanted)?;
    Some(sent)
}

/// The binding that `is_it`, with its index and its life, if it lives.
#[inline(always)]
fn find<T: NatTables>(
    hash: u64,
    tables: &T,
    is_it: impl Fn(&Binding) -> bool,
) -> Option<(u32, &Binding, u64)> {
    let index = table::find(hash, tables, is_it)?;
    let (binding, life) = (tables.binding(index)?, tables.life(index));
    (Life::from_word(life).phase == Life::LIVE).then_some((index, binding, life))
}

/// The link layer that an untagged packet came with.
#[inline(always)]
fn link<P: Packet>(packet: &P) -> Option<ClientLink> {
    const SOURCE: usize = size_of::<Mac>();
    let ethernet = packet.get::<Ethernet>(0)?;
    Some(ClientLink {
        client: P::eight::<SOURCE, _>(ethernet) & Mac::WORD_MASK,
        own: P::eight::<0, _>(ethernet) & Mac::WORD_MASK,
        tags: 0,
        interface: u64::from(packet.ingress()),
    })
}

/// Writes the packet of this flow. It holds its headers: nothing fails.
#[inline(always)]
fn write<P: Packet, H: Head>(packet: &mut P, flow: &Datagram, wanted: &Wanted<'_>) -> Option<()> {
    let head = packet.get_mut::<H>(0)?;
    let ports =
        |source: Be16, destination: Be16| u64::from(source.raw) | u64::from(destination.raw) << 16;
    let (old, new) = (
        ports(flow.source_port, flow.destination_port),
        ports(wanted.source_port, wanted.destination_port),
    );
    let mut change = 0;
    let addresses = [(&flow.source, wanted.source), (&flow.destination, wanted.destination)];
    for (old, new) in addresses {
        for (old, new) in old.words.iter().zip(&new.words) {
            change += replaced(*old, *new);
        }
    }
    let all = u32::from(checksum::fold_words(change + replaced(old, new)));
    let change = u32::from(checksum::fold_words(change));
    let tcp = head.transport();
    if flow.protocol == TCP {
        tcp.checksum = checksum::apply(tcp.checksum, all);
    } else {
        // That of UDP is where TCP has the second half of its sequence number.
        const { assert!(offset_of!(crate::header::Udp, checksum) == offset_of!(Tcp, sequence) + 2) };
        let [length, sum] = tcp.sequence;
        tcp.sequence = [length, checksum::apply_udp(sum, all)];
    }
    P::put_four::<0, _>(tcp, new);
    head.write::<P>(wanted, change);
    let [first, second] = wanted.macs;
    P::put_eight::<0, _>(head, first);
    P::put_four::<8, _>(head, second);
    Some(())
}
