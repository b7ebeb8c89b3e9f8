//! PURE: the source addresses of flows, out of a prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{TrafficError, unicast::is_unicast};

/// Most source addresses that are used of a prefix.
const ADDRESSES_MAX: u64 = 1 << 24;
/// Source ports of flows: 1024 to 65535.
const PORTS: u64 = 64_512;
/// Shortest IPv4 prefix: more addresses than those of a /8 are not used.
const V4_LENGTH_MIN: u8 = 8;

const OPTION: &str = "--from";

/// Consecutive addresses, perhaps but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// The first one.
    pub(super) first: IpAddr,
    /// How many there are, without the one that is left out.
    pub(super) count: u32,
    /// Offset of the omitted address from the first one.
    pub(super) skipped: Option<u32>,
}

impl Sources {
    /// Those of a prefix, except for its network and broadcast address, and for the destination.
    pub(super) fn new(prefix: &IpNet, destination: IpAddr) -> Result<Self, TrafficError> {
        let refuse = |problem: String| Err(TrafficError::usage(OPTION, problem));
        if prefix.addr().is_ipv4() != destination.is_ipv4() {
            return refuse(format!(
                "{prefix} and the destination {destination} are of different families"
            ));
        }
        if !is_unicast(prefix.network()) || !is_unicast(prefix.broadcast()) {
            return refuse(format!("{prefix} contains addresses that cannot be a source"));
        }
        if prefix.addr().is_ipv4() && prefix.prefix_len() < V4_LENGTH_MIN {
            return refuse(format!("{prefix} is too large; use a /{V4_LENGTH_MIN} or smaller"));
        }
        let host_bits = u32::from(prefix.max_prefix_len() - prefix.prefix_len());
        let all = 1_u128 << host_bits.min(64);
        // Prefixes of one or two addresses have hosts only (RFC 3021, RFC 6164).
        let (reserved, ends) = match (host_bits, prefix.addr().is_ipv4()) {
            (0 | 1, _) => (0, 0),
            (_, true) => (1, 2),
            (_, false) => (1, 1),
        };
        let first = address_plus(prefix.network(), reserved);
        let count = u64::try_from(all - ends).unwrap_or(u64::MAX).min(ADDRESSES_MAX);
        let skipped = distance(first, destination).filter(|distance| *distance < count);
        let count = count - u64::from(skipped.is_some());
        if count == 0 {
            return refuse(format!("{prefix} contains only the destination"));
        }
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Self { first, count: narrow(count), skipped: skipped.map(narrow) })
    }

    /// How many flows they have: each address with each port.
    #[must_use]
    pub(super) fn flows(&self) -> u64 {
        u64::from(self.count) * PORTS
    }
}

fn address_plus(address: IpAddr, number: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + number).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(number)).into(),
    }
}

/// How far `address` is behind `first`, in the same family.
fn distance(first: IpAddr, address: IpAddr) -> Option<u64> {
    let bits = |address| match address {
        IpAddr::V4(v4) => u128::from(Ipv4Addr::to_bits(v4)),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    };
    bits(address).checked_sub(bits(first)).and_then(|far| u64::try_from(far).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(prefix: &str, destination: &str) -> Result<(String, u32, Option<u32>), String> {
        Sources::new(&prefix.parse().unwrap(), destination.parse().unwrap())
            .map(|sources| (sources.first.to_string(), sources.count, sources.skipped))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn network_broadcast_and_destination_are_no_sources() {
        for (prefix, destination, first, count, skipped) in [
            ("10.0.0.0/24", "192.0.2.1", "10.0.0.1", 254, None),
            ("10.0.0.7/24", "10.0.0.1", "10.0.0.1", 253, Some(0)),
            ("10.0.0.0/24", "10.0.0.254", "10.0.0.1", 253, Some(253)),
            ("10.0.0.0/24", "10.0.0.255", "10.0.0.1", 254, None),
            ("10.0.0.4/31", "10.0.0.5", "10.0.0.4", 1, Some(1)),
            ("10.0.0.4/32", "10.0.0.5", "10.0.0.4", 1, None),
            ("10.0.0.0/8", "192.0.2.1", "10.0.0.1", (1 << 24) - 2, None),
            ("fd00::/64", "fd01::1", "fd00::1", 1 << 24, None),
            ("fd00::/120", "fd00::2", "fd00::1", 254, Some(1)),
            ("fd00::5/128", "fd00::2", "fd00::5", 1, None),
        ] {
            let wanted = Ok((first.to_owned(), count, skipped));
            assert_eq!(sources(prefix, destination), wanted, "{prefix} {destination}");
        }
    }

    #[test]
    fn invalid_source_prefixes_are_refused() {
        for (prefix, destination) in [
            ("224.0.0.0/8", "192.0.2.1"),
            ("127.0.0.0/24", "192.0.2.1"),
            ("0.0.0.0/8", "192.0.2.1"),
            ("10.0.0.0/7", "192.0.2.1"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("255.255.255.255/32", "192.0.2.1"),
            ("ff00::/64", "fd00::1"),
            ("::/0", "fd00::1"),
            ("10.0.0.0/24", "fd00::1"),
            ("10.0.0.1/32", "10.0.0.1"),
        ] {
            let error = sources(prefix, destination).unwrap_err();
            assert!(error.starts_with("--from: "), "{prefix}: {error}");
        }
    }
}
