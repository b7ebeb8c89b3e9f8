//! The addresses of a target, as the decapsulator needs them: its own, and its VIPs. The sorting is
//! PURE; `read` asks the host.

use std::{collections::BTreeSet, io, net::IpAddr};

use ipnet::IpNet;
use nix::sys::socket::SockaddrStorage;

/// Where a target has its VIPs.
const LOOPBACK: &str = "lo";

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    interface: String,
    /// The address with the prefix length that it was given with.
    net: IpNet,
}

/// What the host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TargetAddresses {
    /// Every address of the host: tunnel packets to them are unwrapped.
    pub(super) own: BTreeSet<IpAddr>,
    /// What a packet in a tunnel may be for, each prefix without host bits.
    pub(super) vips: BTreeSet<IpNet>,
}

/// Asks the host for the addresses of all interfaces.
pub(super) fn read() -> io::Result<Vec<InterfaceAddress>> {
    let interfaces = nix::ifaddrs::getifaddrs().map_err(io::Error::from)?;
    Ok(interfaces
        .filter_map(|found| {
            let address = ip(&found.address?)?;
            let mask = found.netmask.as_ref().and_then(ip);
            let length = mask.and_then(|mask| ipnet::ip_mask_to_prefix(mask).ok());
            let net = match length {
                Some(length) => IpNet::new(address, length).ok()?,
                None => address.into(),
            };
            Some(InterfaceAddress { interface: found.interface_name, net })
        })
        .collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// Sorts the addresses of a host: those on `lo` are VIPs, and so are `named` ones.
///
/// An IPv4 prefix on `lo` makes all its addresses local, as the kernel has it; an IPv6 one only the
/// address itself.
pub(super) fn sort(found: &[InterfaceAddress], named: &[IpNet]) -> TargetAddresses {
    let own = found.iter().map(|one| one.net.addr()).collect();
    let on_lo = found.iter().filter(|one| one.interface == LOOPBACK).map(|one| one.net);
    let vips = on_lo
        .filter(|net| !net.addr().is_loopback())
        .map(|net| match net {
            IpNet::V4(net) => IpNet::V4(net.trunc()),
            IpNet::V6(net) => IpNet::from(IpAddr::V6(net.addr())),
        })
        .chain(named.iter().map(IpNet::trunc))
        .collect();
    TargetAddresses { own, vips }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(interface: &str, net: &str) -> InterfaceAddress {
        InterfaceAddress { interface: interface.to_owned(), net: net.parse().unwrap() }
    }

    #[test]
    fn vips_are_addresses_of_lo_and_named_ones() {
        let found = [
            at("lo", "127.0.0.1/8"),
            at("lo", "::1/128"),
            at("lo", "203.0.113.10/32"),
            at("lo", "198.51.100.1/24"),
            at("lo", "2001:db8::10/64"),
            at("eth0", "10.0.1.11/24"),
            at("eth0", "fd00::11/64"),
        ];
        let named: Vec<IpNet> = vec!["192.0.2.7/25".parse().unwrap()];
        let TargetAddresses { own, vips } = sort(&found, &named);
        assert_eq!(own.len(), found.len());
        let vips: Vec<String> = vips.iter().map(IpNet::to_string).collect();
        assert_eq!(
            vips,
            ["192.0.2.0/25", "198.51.100.0/24", "203.0.113.10/32", "2001:db8::10/128"]
        );
    }
}
