//! Writes a packet whose binding is known, in either direction.

use lb_common::{Be16, Binding, Counter, DropReason};

use super::{NatTables, client_link, life::Direction, request, rewrite};
use crate::{
    Datagram, Packet, exception, forward,
    link::{self, Link, Tag, Tags},
    stats,
    step::Sent,
    verdict::Stop,
};

/// Translates a packet of `flow` by the binding with this index; a request is for the listener with this id.
#[inline(always)]
pub(crate) fn write<P: Packet, T: NatTables>(
    packet: &mut P,
    flow: &Datagram,
    index: u32,
    direction: Direction,
    listener: u16,
    tables: &T,
) -> Result<Sent, Stop> {
    let link = link::parse(packet)?;
    let binding = tables.binding(index).ok_or(DropReason::FlowUnknown)?;
    rewrite::can_go_on(packet, link.ip_offset(), flow.family)?;
    let (interface, offset, mss) = match direction {
        Direction::Request => {
            let target = request::target(binding, tables).ok_or(Stop::target_missing())?;
            let current = client_link(packet, &link).ok_or(Stop::Pass)?;
            tables.follow(flow, index, &current);
            (target.interface, link.towards(packet, target)?, target.mss)
        }
        Direction::Reply => {
            let back = Link { tags: tags(binding), family: flow.family };
            let (client, own) = (binding.link.client_mac(), binding.link.own_mac());
            let interface = binding.link.interface();
            let mss = tables.target(binding.target).map_or(0, |target| target.mss);
            (interface, link.replace(packet, &back, client, own)?, mss)
        }
    };
    rewrite::packet(packet, offset, flow, binding, direction)?;
    exception::count(flow, tables);
    match direction {
        Direction::Request => stats::forwarded(listener, binding.target, flow, tables),
        Direction::Reply => tables.count(Counter::ReplyForwarded.index()),
    }
    Ok(forward::sent(packet, interface, flow, offset, mss))
}

/// The tags that the client's packets come with.
#[inline(always)]
fn tags(binding: &Binding) -> Tags {
    const fn tag(ether_type: Be16, control: Be16) -> Tag {
        Tag { ether_type, control }
    }
    let [outer, outer_control, inner, inner_control] = binding.link.tags();
    let tags = [tag(outer, outer_control), tag(inner, inner_control)];
    Tags { tags, count: binding.link.tag_count() }
}
