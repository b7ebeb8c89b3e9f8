//! PURE: which addresses one host may have, and so which destinations may be sent to.

use std::net::{IpAddr, SocketAddr};

use super::TrafficError;

/// Whether a destination may be sent to at all, whatever the interface.
pub(super) fn check_unicast(to: SocketAddr) -> Result<(), TrafficError> {
    let refuse = |problem: &str| Err(TrafficError::usage("--to", format!("{to} {problem}")));
    if to.port() == 0 {
        return refuse("has no port");
    }
    match to.ip() {
        address if address.is_multicast() => refuse("is a multicast address"),
        address if address.is_loopback() => refuse("is this host itself"),
        address if !is_unicast(address) => refuse("is not an address of a host"),
        _ => Ok(()),
    }
}

/// Whether one host may have this address on a network: not multicast, broadcast, loopback, reserved.
#[must_use]
pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] != 0 && v4.octets()[0] < 224 && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_multicast() && !v6.is_unspecified() && !v6.is_loopback(),
    }
}
