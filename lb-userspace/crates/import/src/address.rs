//! Addresses and ports as the three formats write them.

use std::net::{IpAddr, Ipv6Addr};

use lb_config::TargetAddress;

use crate::remark::brief;

/// A port from 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("`{}` is not a port from 1 to 65535", brief(text))),
    }
}

/// A single address.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.parse().map_err(|_| format!("`{}` is not an IPv4 or IPv6 address", brief(text)))
}

/// The address of a server, or its DNS name.
pub(crate) fn server(text: &str) -> Result<TargetAddress, String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.parse()
}

/// Whether an address is one of IPv6; `None` for a name, which may have both.
pub(crate) const fn is_ipv6(address: &TargetAddress) -> Option<bool> {
    match address {
        TargetAddress::Ip(address) => Some(address.is_ipv6()),
        TargetAddress::Name(_) => None,
    }
}

/// Whether it is the host itself.
pub(crate) fn is_loopback(address: &TargetAddress) -> bool {
    match address {
        TargetAddress::Ip(address) => address.is_loopback(),
        TargetAddress::Name(name) => **name == *"localhost",
    }
}

/// `ADDRESS:PORT`, `[ADDRESS]:PORT` or an address alone; the port is a text.
pub(crate) fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => (address, port.strip_prefix(':').or(Some(port))),
            None => (text, None),
        };
    }
    match text.rsplit_once(':') {
        // `2001:db8::1` is an address alone, `:::80` is any address.
        Some((address, port)) if !address.contains(':') || address == "::" => (address, Some(port)),
        Some((address, port)) if text.parse::<Ipv6Addr>().is_err() => (address, Some(port)),
        _ => (text, None),
    }
}
