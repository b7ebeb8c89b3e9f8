//! Writes a packet whose binding is known, in either direction.

use lb_common::{Be16, Binding, Counter, DropReason};

use super::{NatTables, life::Direction, request, rewrite};
use crate::{
    Datagram, Packet, exception, forward,
    link::{self, Link, Tag, Tags},
    listener, stats,
    step::Sent,
    verdict::Stop,
};

/// Translates a packet of `flow` by the binding with this index.
#[inline(always)]
pub(crate) fn write<P: Packet, T: NatTables>(
    packet: &mut P,
    flow: &Datagram,
    index: u32,
    direction: Direction,
    tables: &T,
) -> Result<Sent, Stop> {
    let link = link::parse(packet)?;
    let binding = tables.binding(index).ok_or(DropReason::FlowUnknown)?;
    rewrite::can_go_on(packet, link.ip_offset(), flow.family)?;
    let target = tables.target(binding.target);
    let mss = target.map_or(0, |target| target.mss);
    let (interface, offset) = match direction {
        Direction::Request => {
            let target = request::target(binding, tables).ok_or(Stop::target_missing())?;
            (target.interface, link.towards(packet, target)?)
        }
        Direction::Reply => {
            let back = Link { tags: tags(binding), family: flow.family };
            let (client, own) = (binding.client_mac, binding.own_mac);
            (binding.interface, link.replace(packet, &back, client, own)?)
        }
    };
    rewrite::packet(packet, offset, flow, binding, direction)?;
    count(flow, binding, direction, tables);
    Ok(forward::sent(packet, interface, flow, offset, mss))
}

#[inline(always)]
fn count<T: NatTables>(flow: &Datagram, binding: &Binding, direction: Direction, tables: &T) {
    exception::count(flow, tables);
    match direction {
        Direction::Request => {
            if let Some(listener) = listener::of(flow, tables) {
                stats::forwarded(&listener, binding.target, flow, tables);
            }
        }
        Direction::Reply => tables.count(Counter::ReplyForwarded.index()),
    }
}

/// The tags that the client's packets came with.
#[inline(always)]
const fn tags(binding: &Binding) -> Tags {
    const fn tag(ether_type: Be16, control: Be16) -> Tag {
        Tag { ether_type, control }
    }
    let [outer, outer_control, inner, inner_control] = binding.tags;
    Tags { tags: [tag(outer, outer_control), tag(inner, inner_control)], count: binding.tag_count }
}
