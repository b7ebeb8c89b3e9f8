//! Prefixes that a host takes as its own by a route (AnyIP: `ip route add local PREFIX dev lo`), not by an
//! address. It asks once; who calls it decides how often.

use std::{io, time::Duration};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteHeader, RouteMessage, RouteProtocol, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::TimeVal,
};

use super::{
    decode::{self, Message},
    encode,
};

/// The kernel answers at once; longer than this means that a reply was lost.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Index of `lo` in every network namespace.
pub(super) const LOOPBACK: u32 = 1;

const RTA_OIF: u16 = 4;
const ROUTE_HEADER_LEN: usize = 12;

pub(super) const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// The prefixes that this network namespace has as local routes over `lo`, without those that the kernel
/// makes for addresses. Blocks for as long as the kernel takes to answer.
pub fn local_prefixes() -> io::Result<Vec<IpNet>> {
    let mut found = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        found.extend(of_family(family, local_prefix)?);
    }
    Ok(found)
}

/// A socket for single questions, which are answered at once.
pub(super) fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let seconds = i64::try_from(REPLY_TIMEOUT.as_secs()).unwrap_or(1);
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(seconds, 0))?;
    Ok(socket)
}

/// The local routes of a family, as `read` takes them from their messages.
pub(super) fn of_family(
    family: AddressFamily,
    read: impl Fn(&[u8]) -> Option<IpNet>,
) -> io::Result<Vec<IpNet>> {
    let socket = open()?;
    // The kernel then sends the wanted table alone (Linux 4.20); before that, this side sorts.
    let _old_kernel = socket.set_netlink_get_strict_chk(true);
    let mut request = RouteMessage::default();
    request.header.address_family = family;
    request.header.table = libc::RT_TABLE_LOCAL;
    request.header.kind = RouteType::Local;
    let mut datagram = Vec::new();
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    encode::append(RouteNetlinkMessage::GetRoute(request), flags, 1, &mut datagram);
    socket.send(&datagram, 0)?;
    let mut found = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        for message in decode::messages(&datagram) {
            match message.kind {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return error_of(&message).map(|()| found),
                libc::RTM_NEWROUTE => found.extend(read(message.payload)),
                _ => {}
            }
        }
    }
}

/// The error of a message; IPv6 may be turned off.
pub(super) fn error_of(message: &Message<'_>) -> io::Result<()> {
    let errno = message.payload.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    match errno.saturating_neg() {
        0 | libc::EOPNOTSUPP | libc::EAFNOSUPPORT => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// The prefix of a route, if it is a configured local route over `lo`.
pub(super) fn local_prefix(payload: &[u8]) -> Option<IpNet> {
    let header = RouteHeader::parse(payload).ok()?;
    let over_loopback = decode::attributes(payload, ROUTE_HEADER_LEN)
        .any(|(kind, value)| kind == RTA_OIF && decode::number(value) == Some(LOOPBACK));
    let wanted = header.kind == RouteType::Local
        && header.table == libc::RT_TABLE_LOCAL
        && header.protocol != RouteProtocol::Kernel
        // A route for everything makes no VIP of everything.
        && header.destination_prefix_length > 0
        && over_loopback;
    decode::prefix(payload).filter(|net| wanted && !net.addr().is_loopback())
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::RouteAttribute;

    use super::*;

    fn route(change: impl Fn(&mut RouteMessage)) -> Option<IpNet> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.destination_prefix_length = 28;
        message.header.table = libc::RT_TABLE_LOCAL;
        message.header.kind = RouteType::Local;
        message.header.protocol = RouteProtocol::Boot;
        let address = std::net::Ipv4Addr::new(203, 0, 113, 32);
        message.attributes.push(RouteAttribute::Destination(address.into()));
        message.attributes.push(RouteAttribute::Oif(LOOPBACK));
        change(&mut message);
        let mut datagram = Vec::new();
        encode::append(RouteNetlinkMessage::NewRoute(message), 0, 0, &mut datagram);
        decode::messages(&datagram).next().and_then(|message| local_prefix(message.payload))
    }

    #[test]
    fn only_configured_routes_over_lo_count() {
        assert_eq!(route(|_| {}), "203.0.113.32/28".parse().ok());
        let others: [fn(&mut RouteMessage); 5] = [
            |route| route.header.protocol = RouteProtocol::Kernel,
            |route| route.header.table = libc::RT_TABLE_MAIN,
            |route| route.header.kind = RouteType::Unicast,
            |route| route.header.destination_prefix_length = 0,
            |route| route.attributes[1] = RouteAttribute::Oif(2),
        ];
        for change in others {
            assert_eq!(route(change), None);
        }
    }

    /// Its own addresses are the kernel's routes.
    #[test]
    fn this_host_answers() {
        let found = local_prefixes().unwrap();
        assert!(found.iter().all(|net| !net.addr().is_loopback()), "{found:?}");
    }
}
