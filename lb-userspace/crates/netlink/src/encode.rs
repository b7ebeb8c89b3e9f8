//! Requests to the kernel: PURE, values in, bytes out. The other direction is `decode`.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkExtentMask, LinkMessage},
    neighbour::{NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage},
    route::{RouteAttribute, RouteMessage},
};

use super::neighbour_refresh::Ask;

/// linux/if_link.h, Linux 4.20.
const IFLA_TARGET_NETNSID: u16 = 46;

/// Appends a request to a datagram.
pub(super) fn append(
    request: RouteNetlinkMessage,
    flags: u16,
    sequence: u32,
    datagram: &mut Vec<u8>,
) {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
    message.finalize();
    let start = datagram.len();
    // Messages in a datagram start at multiples of 4 (NLMSG_ALIGN).
    datagram.resize(start + message.buffer_len().next_multiple_of(4), 0);
    if let Some(room) = datagram.get_mut(start..start + message.buffer_len()) {
        message.serialize(room);
    }
}

/// Asks for every interface.
pub(super) fn all_links() -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    // Statistics are most of a link's message, and are not needed.
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(message)
}

/// Asks for every interface, its counters included.
pub(super) fn all_links_counted() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// Asks for one interface, in another network namespace if its number here is given.
pub(super) fn one_link(index: u32, namespace: Option<i32>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    if let Some(namespace) = namespace {
        let value = namespace.to_ne_bytes().to_vec();
        let attribute = DefaultNla::new(IFLA_TARGET_NETNSID, value);
        message.attributes.push(LinkAttribute::Other(attribute));
    }
    RouteNetlinkMessage::GetLink(message)
}

/// Asks for every neighbour of both families.
pub(super) fn all_neighbours() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default())
}

/// Asks how a packet to an address would go.
pub(super) fn route(address: IpAddr) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(address);
    message.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
    message.attributes.push(RouteAttribute::Destination(address.into()));
    RouteNetlinkMessage::GetRoute(message)
}

/// Asks the kernel to resolve a neighbour, and puts the mark "managed" on it or takes it off.
///
/// NTF_USE makes the kernel resolve an entry without changing its state. It goes with the mark,
/// too: kernels before 5.16 do not know that, and without NTF_USE would reset the entry's state.
pub(super) fn neighbour(ask: &Ask, managed: bool) -> RouteNetlinkMessage {
    let (interface, address) = ask.key;
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = interface;
    message.header.flags = NeighbourFlags::Use;
    if ask.learned {
        message.header.flags |= NeighbourFlags::ExtLearned;
    }
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    if managed {
        let flags = NeighbourExtFlags::Managed;
        message.attributes.push(NeighbourAttribute::ExtFlags(flags));
    }
    RouteNetlinkMessage::NewNeighbour(message)
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    #[test]
    fn requests_share_a_datagram() {
        let address = IpAddr::from([10, 0, 0, 9]);
        let mut datagram = Vec::new();
        append(all_links(), 1, 7, &mut datagram);
        append(route(address), 2, 8, &mut datagram);
        append(all_neighbours(), 3, 9, &mut datagram);
        let seen: Vec<_> = decode::messages(&datagram)
            .map(|message| (message.kind, message.flags, message.sequence))
            .collect();
        let wanted =
            [(libc::RTM_GETLINK, 1, 7), (libc::RTM_GETROUTE, 2, 8), (libc::RTM_GETNEIGH, 3, 9)];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_neighbour_keeps_its_state_on_every_kernel() {
        for (learned, managed) in [(false, false), (false, true), (true, false), (true, true)] {
            let key = (2, IpAddr::from([10, 0, 0, 9]));
            let mut datagram = Vec::new();
            append(neighbour(&Ask { key, learned }, managed), 0, 0, &mut datagram);
            let message = decode::messages(&datagram).next().expect("a message");
            assert_eq!(message.kind, libc::RTM_NEWNEIGH);
            // NTF_USE, in the byte of `ndm_flags` (linux/neighbour.h).
            assert_eq!(message.payload[10] & 1, 1);
            let (named, entry) = decode::neighbour(message.payload).expect("a neighbour");
            assert_eq!((named, entry.learned, entry.managed), (key, learned, managed));
        }
    }
}
