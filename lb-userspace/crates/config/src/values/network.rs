//! PURE: addresses, prefixes and ports of the configuration, and what is wrong with them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Read, port, wrong};
use crate::{
    error::brief,
    model::{Ports, SourceNat},
    tree::{Node, Value},
};

/// Port of DNS servers (RFC 1035).
const DNS_PORT: u16 = 53;

/// An address that a listener or target can have.
pub(crate) fn address(node: &Node) -> Read<IpAddr> {
    let wanted = "an IPv4 or IPv6 address, such as 10.0.1.11 or \"2001:db8::11\"";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    let address: IpAddr = text.parse().map_err(|_| malformed(node, text, wanted))?;
    let fault = match address {
        _ if address.is_unspecified() => Some("the unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        _ if address.is_loopback() => Some("a loopback address"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Some("an IPv4-mapped address; write it as IPv4")
        }
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Some("a link-local address, which needs an interface to identify a host")
        }
        _ => None,
    };
    match fault {
        Some(fault) => Err(format!("{text} is {fault}")),
        None => Ok(address),
    }
}

/// A DNS server: an address, with port 53 unless it says otherwise.
pub(crate) fn dns_server(node: &Node) -> Read<SocketAddr> {
    let wanted = "the address of a DNS server, such as 10.0.0.53 or \"10.0.0.53:5353\"";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    let address = address.or_else(|_| text.parse::<SocketAddr>());
    let is_host =
        |one: &SocketAddr| one.port() > 0 && !one.ip().is_unspecified() && !one.ip().is_multicast();
    address.ok().filter(is_host).ok_or_else(|| wrong(node, wanted))
}

/// The error of a text that is not an address, with a suggestion.
pub(super) fn malformed(node: &Node, text: &str, wanted: &str) -> String {
    let message = wrong(node, wanted);
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return format!(
            "{message}; write only the address, {}, and the port in `port`",
            socket.ip()
        );
    }
    message
}

/// Addresses that no listener can have, and what they are.
const RESERVED: [(IpNet, &str); 8] = [
    (v4([0, 0, 0, 0], 32), "the unspecified address"),
    (v4([127, 0, 0, 0], 8), "loopback addresses"),
    (v4([224, 0, 0, 0], 4), "multicast addresses"),
    (v4([255, 255, 255, 255], 32), "the broadcast address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 127), "the unspecified or the loopback address"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "IPv4-mapped addresses"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local addresses"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast addresses"),
];

const fn v4(octets: [u8; 4], bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), bits))
}

const fn v6(segments: [u16; 8], bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), bits))
}

/// One address, as a host prefix, or a prefix without host bits.
pub(crate) fn listener_address(node: &Node) -> Read<IpNet> {
    let wanted = "an IPv4 or IPv6 address such as 203.0.113.10, or a prefix such as 203.0.113.0/28";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    if !text.contains('/') {
        // Its messages name what a listener or target can have.
        text.parse::<IpAddr>().map_err(|_| malformed(node, text, wanted))?;
        return address(node).map(IpNet::from);
    }
    let prefix = prefix(text).ok_or_else(|| wrong(node, wanted))?;
    let right = prefix.trunc();
    if right != prefix {
        return Err(host_bits(prefix, right));
    }
    match RESERVED.iter().find(|(net, _)| prefix.contains(net) || net.contains(&prefix)) {
        Some((_, what)) => Err(format!("{prefix} contains {what}")),
        None => Ok(prefix),
    }
}

/// The error of a prefix with bits beyond its length.
pub(super) fn host_bits(prefix: IpNet, right: IpNet) -> String {
    format!("{prefix} has host bits; the prefix is {right}")
}

/// An address and a length. Its address is parsed like a single address: ipnet reads 010.0.0.0 as
/// 10.0.0.0, and others read it as 8.0.0.0.
pub(super) fn prefix(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let length = length.bytes().all(|byte| byte.is_ascii_digit()).then_some(length)?;
    IpNet::new(address.parse().ok()?, length.parse().ok()?).ok()
}

/// `80`, `"8000-8099"` or `all`.
pub(crate) fn listener_ports(node: &Node) -> Read<Ports> {
    match node.as_text() {
        None if matches!(node.value, Value::Integer(_)) => port(node).map(Ports::one),
        Some("all") => Ok(Ports::ALL),
        _ => range(node, "a port, a range such as 8000-8099 or `all`"),
    }
}

/// Ports that packets to targets come from, such as `1024-65535`.
pub(crate) fn source_ports(node: &Node) -> Read<Ports> {
    let ports = range(node, "a range of ports such as 1024-65535")?;
    let Ports { first, last } = ports;
    let (lowest, fewest) = (SourceNat::FIRST_PORT_MIN, SourceNat::PORTS_MIN);
    if first < lowest {
        return Err(format!(
            "{first}-{last} begins below {lowest}: lower ports are reserved for servers; begin at \
             {lowest}"
        ));
    }
    let count = u32::from(last - first) + 1;
    if count < u32::from(fewest) {
        return Err(format!(
            "the pool is too small: {first}-{last} gives each address {count} ports, and every flow to a \
             target needs one; name at least {fewest}"
        ));
    }
    Ok(ports)
}

/// A range, or a single port as a text.
fn range(node: &Node, wanted: &str) -> Read<Ports> {
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok())?.filter(|port: &u16| *port > 0)
    };
    let ends = match text.split_once('-') {
        Some((first, last)) => number(first.trim()).zip(number(last.trim())),
        None => number(text).map(|port| (port, port)),
    };
    let (first, last) = ends.ok_or_else(|| wrong(node, &format!("{wanted}, from 1 to 65535")))?;
    if first > last {
        return Err(format!("`{}` ends before it begins; write {last}-{first}", brief(text)));
    }
    Ok(Ports { first, last })
}

/// A prefix whose last 16 bits of address may vary.
pub(crate) fn source_ipv4(node: &Node) -> Read<Ipv4Net> {
    let wanted = "an IPv4 prefix such as 172.16.0.0/16";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    let Some(IpNet::V4(prefix)) = prefix(text) else {
        return Err(wrong(node, wanted));
    };
    let first = prefix.network();
    if prefix.prefix_len() > 16 || first != prefix.addr() {
        return Err(wrong(
            node,
            "a prefix of at most 16 bits without host bits, such as 172.16.0.0/16",
        ));
    }
    if first.is_unspecified() || first.is_loopback() || first.is_multicast() {
        return Err(wrong(node, "a prefix that packets can come from, such as 172.16.0.0/16"));
    }
    Ok(prefix)
}

/// A prefix whose last 16 bits of address may vary.
pub(crate) fn source_ipv6(node: &Node) -> Read<Ipv6Net> {
    let wanted = "an IPv6 prefix such as 100::/64";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    let Some(IpNet::V6(prefix)) = prefix(text) else {
        return Err(wrong(node, wanted));
    };
    let first = prefix.network();
    if prefix.prefix_len() > 112 || first != prefix.addr() {
        return Err(wrong(
            node,
            "a prefix of at most 112 bits without host bits, such as 100::/64",
        ));
    }
    if first.is_unspecified() || first.is_multicast() {
        return Err(wrong(node, "a prefix that packets can come from, such as 100::/64"));
    }
    Ok(prefix)
}
