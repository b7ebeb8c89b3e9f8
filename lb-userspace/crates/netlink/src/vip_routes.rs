//! Local routes for VIPs that the host has no address for (AnyIP): made, found again and removed. The number
//! of the protocol that is written into a route says who made it, so that a later agent knows them.

use std::{collections::BTreeSet, io};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use super::{
    decode, encode,
    local_routes::{self, LOOPBACK, NLMSG_ERROR, error_of, local_prefix},
};

/// Marks the routes of xelb; `ip route show table local proto 120` lists them.
pub const VIP_ROUTE_PROTOCOL: u8 = 120;

/// The routes in this network namespace that xelb has made, in this process or before.
pub fn vip_routes() -> io::Result<BTreeSet<IpNet>> {
    let ours = |payload: &[u8]| {
        let header = RouteHeader::parse(payload).ok()?;
        local_prefix(payload).filter(|_| header.protocol == RouteProtocol::from(VIP_ROUTE_PROTOCOL))
    };
    let mut found = BTreeSet::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        found.extend(local_routes::of_family(family, ours)?);
    }
    Ok(found)
}

/// Makes the local route of a prefix; one that is there already, whoever made it, is none of xelb's.
/// Blocks for as long as the kernel takes to answer.
pub fn add_vip_route(prefix: IpNet) -> io::Result<()> {
    let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    ask(RouteNetlinkMessage::NewRoute(message(prefix)), flags, libc::EEXIST)
}

/// Removes the route of a prefix that xelb has made. One that is gone is no error.
pub fn remove_vip_route(prefix: IpNet) -> io::Result<()> {
    ask(RouteNetlinkMessage::DelRoute(message(prefix)), NLM_F_REQUEST | NLM_F_ACK, libc::ESRCH)
}

fn message(prefix: IpNet) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match prefix {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.destination_prefix_length = prefix.prefix_len();
    message.header.table = libc::RT_TABLE_LOCAL;
    message.header.protocol = RouteProtocol::from(VIP_ROUTE_PROTOCOL);
    message.header.scope = match prefix {
        IpNet::V4(_) => RouteScope::Host,
        // IPv6 has no scopes of routes.
        IpNet::V6(_) => RouteScope::Universe,
    };
    message.header.kind = RouteType::Local;
    message.attributes.push(RouteAttribute::Destination(prefix.network().into()));
    message.attributes.push(RouteAttribute::Oif(LOOPBACK));
    message
}

/// Asks for a change, and waits for the answer. One errno is a success, too.
fn ask(request: RouteNetlinkMessage, flags: u16, fine: i32) -> io::Result<()> {
    let socket = local_routes::open()?;
    let mut datagram = Vec::new();
    encode::append(request, flags, 1, &mut datagram);
    socket.send(&datagram, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let message = decode::messages(&answer).find(|message| message.kind == NLMSG_ERROR);
    let message = message.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADMSG))?;
    match error_of(&message) {
        Err(error) if error.raw_os_error() == Some(fine) => Ok(()),
        other => other,
    }
}
