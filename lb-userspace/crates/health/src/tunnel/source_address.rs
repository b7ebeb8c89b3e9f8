//! The address of this host that probes come from. They leave by the TUN device, which has none,
//! so the kernel cannot choose.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use nix::{ifaddrs::getifaddrs, net::if_::if_indextoname, sys::socket::SockaddrStorage};

/// Any port: nothing is sent.
const DISCARD: u16 = 9;

/// The address of this host that the kernel would use towards another one.
pub(super) fn towards(address: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((address, DISCARD))?;
    Ok(socket.local_addr()?.ip())
}

/// Whether this is an address of this host: towards those the kernel uses themselves.
pub(super) fn is_local(address: IpAddr) -> bool {
    towards(address).is_ok_and(|source| source == address)
}

/// The address that probes of a target come from: it must have the family of the VIP. If the
/// target has another, that is one of the interface towards it, else what the kernel would use
/// towards the VIP, else any.
pub(super) fn of_probe(vip: IpAddr, target: IpAddr, interface: u32) -> Result<IpAddr, String> {
    if vip.is_ipv4() == target.is_ipv4() {
        return towards(target)
            .map_err(|error| format!("this host has no address towards {target}: {error}"));
    }
    let all =
        addresses().map_err(|error| format!("cannot list the addresses of this host: {error}"))?;
    let name = if_indextoname(interface).ok();
    let name = name.as_ref().and_then(|name| name.to_str().ok());
    let usable = |address: &IpAddr| address.is_ipv4() == vip.is_ipv4() && is_global(*address);
    let mut on_interface = all.iter().filter(|(interface, _)| Some(interface.as_str()) == name);
    on_interface
        .find(|(_, address)| usable(address))
        .map(|(_, address)| *address)
        .or_else(|| towards(vip).ok().filter(usable))
        .or_else(|| all.iter().map(|(_, address)| *address).find(usable))
        .ok_or_else(|| {
            let family = if vip.is_ipv4() { "IPv4" } else { "IPv6" };
            format!("this host has no {family} address as source of packets to {vip}")
        })
}

/// Interfaces and their addresses.
fn addresses() -> io::Result<Vec<(String, IpAddr)>> {
    let all = getifaddrs()?;
    Ok(all.filter_map(|one| Some((one.interface_name, ip(one.address.as_ref()?)?))).collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Whether other hosts can answer to it.
fn is_global(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !link_local && !address.is_loopback() && !address.is_unspecified()
}

/// A hint for people when answers of a target may be dropped on this host, by the strict check of
/// sources (RFC 3704): they come from the VIP, which another interface may lead to.
pub(super) fn strict_source_check(vip: SocketAddr, interface: u32) -> Option<String> {
    if vip.is_ipv6() {
        return None;
    }
    let name = if_indextoname(interface).ok()?.into_string().ok()?;
    let read = |name: &str| {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        std::fs::read_to_string(path).ok()?.trim().parse::<u8>().ok()
    };
    // The higher of the two counts (ip-sysctl); 1 is strict, 2 loose.
    let strict = read("all").max(read(&name)) == Some(1);
    strict.then(|| {
        format!(
            "or this host drops its answers: rp_filter of {name} is 1 (strict), and they come \
             from {}; set it to 2 (loose)",
            vip.ip()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_local() {
        for (address, expected) in [("127.0.0.1", true), ("::1", true), ("192.0.2.1", false)] {
            assert_eq!(is_local(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_source_has_the_family_of_the_vip() {
        let [v4, v6] = ["127.0.0.1", "::1"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(of_probe(v4, v4, 1), Ok(v4));
        assert_eq!(of_probe(v6, v6, 1), Ok(v6));
        // What a host without addresses says, and one that has some.
        match of_probe(v6, v4, 1) {
            Ok(source) => assert!(source.is_ipv6() && is_global(source), "{source}"),
            Err(detail) => assert!(detail.contains("no IPv6 address"), "{detail}"),
        }
    }

    #[test]
    fn loopback_and_link_local_addresses_get_no_answers() {
        for (address, expected) in [
            ("10.0.0.2", true),
            ("fd00::2", true),
            ("127.0.0.1", false),
            ("169.254.0.1", false),
            ("::1", false),
            ("fe80::1", false),
            ("::", false),
        ] {
            assert_eq!(is_global(address.parse().unwrap()), expected, "{address}");
        }
    }
}
