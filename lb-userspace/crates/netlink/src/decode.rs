//! From netlink messages to the types of `rtnetlink`: PURE, bytes in, values out.
//!
//! It deliberately reads only the attributes that next hops need and skips the rest unread: an
//! attribute with another format in a newer kernel must not make a link invisible, as decoding
//! whole messages would do. Layouts: linux/rtnetlink.h, neighbour.h, if_link.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NetlinkBuffer, NlasIterator};
use netlink_packet_route::{
    AddressFamily,
    link::{LinkFlags, LinkHeader, LinkLayerType},
    neighbour::{NeighbourExtFlags, NeighbourFlags, NeighbourHeader},
    route::{RouteHeader, RouteType, RouteVia},
};

use super::rtnetlink::{Link, LinkKind, Neighbour, NeighbourKey, Route};

const LINK_HEADER_LEN: usize = 16;
const NEIGHBOUR_HEADER_LEN: usize = 12;
const ROUTE_HEADER_LEN: usize = 12;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
/// In network byte order, as IFLA_VLAN_PROTOCOL has it.
const ETH_P_8021Q: [u8; 2] = [0x81, 0];

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_FLAGS_EXT: u16 = 15;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_METRICS: u16 = 8;
const RTA_VIA: u16 = 18;
const RTA_ENCAP_TYPE: u16 = 21;
const RTAX_MTU: u16 = 2;

/// One netlink message inside a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Its type: RTM_* or NLMSG_*.
    pub(super) kind: u16,
    /// NLM_F_* flags.
    pub(super) flags: u16,
    /// Sequence number of the request that it answers.
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) payload: &'a [u8],
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An interface is new or different, or (`None`) gone.
    Link(u32, Option<Link>),
    /// A neighbour is new or different, or (`None`) gone.
    Neighbour(NeighbourKey, Option<Neighbour>),
    /// A route for a prefix came or went.
    Route(IpNet),
    /// Any answer of the routing may be different now.
    Routing,
    /// Events were lost.
    Overrun,
}

/// The messages of a datagram. It ends at the first one whose length is wrong.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let buffer = NetlinkBuffer::new_checked(rest).ok()?;
        let length = usize::try_from(buffer.length()).ok()?;
        let message = Message {
            kind: buffer.message_type(),
            flags: buffer.flags(),
            sequence: buffer.sequence_number(),
            payload: rest.get(16..length)?,
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// What a message of the event socket says; `None`: nothing that next hops depend on.
pub(super) fn event(message: Message<'_>) -> Option<Event> {
    let payload = message.payload;
    match message.kind {
        libc::RTM_NEWLINK => link(payload).map(|(index, link)| Event::Link(index, Some(link))),
        libc::RTM_DELLINK => {
            let header = link_header(payload)?;
            Some(Event::Link(header.index, None))
        }
        libc::RTM_NEWNEIGH => {
            neighbour(payload).map(|(key, neighbour)| Event::Neighbour(key, Some(neighbour)))
        }
        libc::RTM_DELNEIGH => neighbour(payload).map(|(key, _)| Event::Neighbour(key, None)),
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE => prefix(payload).map(Event::Route),
        libc::RTM_NEWADDR
        | libc::RTM_DELADDR
        | libc::RTM_NEWRULE
        | libc::RTM_DELRULE
        | RTM_NEWNEXTHOP
        | RTM_DELNEXTHOP => Some(Event::Routing),
        _ => None,
    }
}

/// Not in the libc crate (linux/rtnetlink.h, Linux 5.3).
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;

/// An interface and its index, from RTM_NEWLINK; `None` for what is not about the interface as
/// such (ports of bridges, events of wireless devices).
pub(super) fn link(payload: &[u8]) -> Option<(u32, Link)> {
    let header = link_header(payload)?;
    let (mut name, mut mtu, mut mac) = (String::new(), None, None);
    let (mut parent, mut tags, mut device) = (None, Tagging::No, String::new());
    for (kind, value) in attributes(payload, LINK_HEADER_LEN) {
        match kind {
            IFLA_IFNAME => name = text(value),
            IFLA_MTU => mtu = number(value),
            IFLA_ADDRESS => mac = value.try_into().ok(),
            IFLA_LINK => parent = number(value),
            IFLA_LINKINFO => {
                tags = tagging(value);
                device = info_kind(value);
            }
            _ => {}
        }
    }
    let kind = match (header.link_layer_type, mac) {
        _ if header.flags.contains(LinkFlags::Loopback) => LinkKind::Loopback,
        (LinkLayerType::Ether, Some(mac)) => match (tags, parent) {
            (Tagging::No, _) => LinkKind::Ethernet(mac),
            (Tagging::Customer(number), Some(parent)) => LinkKind::Vlan { parent, number, mac },
            _ => LinkKind::Other,
        },
        _ => LinkKind::Other,
    };
    let link = Link {
        name,
        up: header.flags.contains(LinkFlags::Up),
        running: header.flags.contains(LinkFlags::Running),
        kind,
        // Messages about one aspect only (IFLA_WIRELESS) do not have it.
        mtu: mtu?,
        device,
    };
    Some((header.index, link))
}

/// What tags an interface puts in front of packets.
#[derive(Clone, Copy)]
enum Tagging {
    /// None: it is no VLAN's.
    No,
    /// 802.1Q, with this number.
    Customer(u16),
    /// Others.
    Other,
}

/// What makes an interface, from IFLA_LINKINFO.
pub(super) fn info_kind(info: &[u8]) -> String {
    let kind = attributes(info, 0).find(|(kind, _)| *kind == IFLA_INFO_KIND);
    kind.map(|(_, value)| text(value)).unwrap_or_default()
}

/// From IFLA_LINKINFO.
fn tagging(info: &[u8]) -> Tagging {
    let part = |wanted| attributes(info, 0).find(|(kind, _)| *kind == wanted);
    if part(IFLA_INFO_KIND).is_none_or(|(_, kind)| text(kind) != "vlan") {
        return Tagging::No;
    }
    let data = part(IFLA_INFO_DATA).map(|(_, data)| data).unwrap_or_default();
    let (mut number, mut customer) = (None, true);
    for (kind, value) in attributes(data, 0) {
        match (kind, value) {
            (IFLA_VLAN_ID, [low, high]) => number = Some(u16::from_ne_bytes([*low, *high])),
            (IFLA_VLAN_PROTOCOL, protocol) => customer = protocol == ETH_P_8021Q,
            _ => {}
        }
    }
    number.filter(|_| customer).map_or(Tagging::Other, Tagging::Customer)
}

/// A neighbour, from RTM_NEWNEIGH or RTM_DELNEIGH; `None` for bridges' forwarding entries.
pub(super) fn neighbour(payload: &[u8]) -> Option<(NeighbourKey, Neighbour)> {
    let header = NeighbourHeader::parse(payload).ok()?;
    if header.flags.contains(NeighbourFlags::Proxy) {
        return None;
    }
    let mut address = None;
    let mut neighbour = Neighbour {
        state: header.state,
        mac: None,
        managed: false,
        learned: header.flags.contains(NeighbourFlags::ExtLearned),
    };
    for (kind, value) in attributes(payload, NEIGHBOUR_HEADER_LEN) {
        match kind {
            NDA_DST => address = self::address(header.family, value),
            NDA_LLADDR => neighbour.mac = value.try_into().ok(),
            NDA_FLAGS_EXT => {
                let flags = NeighbourExtFlags::from_bits_retain(number(value)?);
                neighbour.managed = flags.contains(NeighbourExtFlags::Managed);
            }
            _ => {}
        }
    }
    Some(((header.ifindex, address?), neighbour))
}

/// The kernel's answer to RTM_GETROUTE for one address.
pub(super) fn route(payload: &[u8]) -> Option<Route> {
    let header = RouteHeader::parse(payload).ok()?;
    match header.kind {
        RouteType::Unicast => {}
        RouteType::Local => return Some(Route::Local),
        RouteType::Broadcast => return Some(Route::NotOneHost("broadcast")),
        RouteType::Multicast => return Some(Route::NotOneHost("multicast")),
        RouteType::Anycast => return Some(Route::NotOneHost("anycast")),
        _ => return Some(Route::Missing),
    }
    let (mut interface, mut gateway, mut mtu) = (None, None, None);
    for (kind, value) in attributes(payload, ROUTE_HEADER_LEN) {
        match kind {
            RTA_OIF => interface = number(value),
            RTA_GATEWAY => gateway = address(header.address_family, value),
            RTA_VIA => {
                gateway = match RouteVia::parse(value).ok()? {
                    RouteVia::Inet(address) => Some(address.into()),
                    RouteVia::Inet6(address) => Some(address.into()),
                    _ => return None,
                };
            }
            RTA_METRICS => {
                mtu = attributes(value, 0)
                    .find(|(kind, _)| *kind == RTAX_MTU)
                    .and_then(|(_, value)| number(value));
            }
            RTA_ENCAP_TYPE if value.iter().any(|byte| *byte != 0) => {
                return Some(Route::Encapsulated);
            }
            _ => {}
        }
    }
    Some(Route::Unicast { interface: interface?, gateway, mtu })
}

/// What an errno as the answer to RTM_GETROUTE means.
pub(super) fn route_refusal(errno: i32) -> Route {
    match errno {
        // No route; a route of type unreachable, prohibit, blackhole (see fib_props in the
        // kernel's fib_semantics.c, and ip6_route_info_create).
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL => Route::Missing,
        other => Route::Failed(other),
    }
}

/// The prefix that RTM_NEWROUTE or RTM_DELROUTE is about.
pub(super) fn prefix(payload: &[u8]) -> Option<IpNet> {
    let header = RouteHeader::parse(payload).ok()?;
    let any: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    // The default route carries no destination.
    let address = attributes(payload, ROUTE_HEADER_LEN)
        .find(|(kind, _)| *kind == RTA_DST)
        .and_then(|(_, value)| address(header.address_family, value))
        .unwrap_or(any);
    IpNet::new(address, header.destination_prefix_length).ok()
}

/// The header of a message about an interface as such.
pub(super) fn link_header(payload: &[u8]) -> Option<LinkHeader> {
    let header = LinkHeader::parse(payload).ok()?;
    // The same message types with AF_BRIDGE are about a port: RTM_DELLINK then means that the
    // interface left its bridge, not that it is gone.
    (header.interface_family == AddressFamily::Unspec).then_some(header)
}

/// Attributes behind a header of some length, as (type, value).
pub(super) fn attributes(payload: &[u8], header: usize) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(payload.get(header..).unwrap_or_default()).map_while(Result::ok).filter_map(
        |attribute| {
            let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
            // `value()` would borrow from the iterator's item, not from the payload.
            let value = attribute.into_inner().get(4..length)?;
            Some((kind, value))
        },
    )
}

/// An address of a family.
pub(super) fn address(family: AddressFamily, value: &[u8]) -> Option<IpAddr> {
    match family {
        AddressFamily::Inet => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        AddressFamily::Inet6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

/// A number of 32 bits.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}

/// A text, up to its zero byte.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(value.get(..end.unwrap_or(value.len())).unwrap_or_default())
        .into_owned()
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
