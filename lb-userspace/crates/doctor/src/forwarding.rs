//! How packets reach a target, as far as its host's settings depend on it.

use std::{fmt, net::IpAddr};

use clap::ValueEnum;

/// How packets reach a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Forwarding {
    /// In an outer IP header
    Ipip,
    /// In an outer IP header and UDP (generic UDP encapsulation)
    Gue,
    /// With another destination MAC, on the same link
    L2dsr,
    /// With the target's address as destination; answers go back through the balancer
    Nat,
    /// With the balancer's address as source, too
    Fullnat,
}

impl Forwarding {
    /// The one with this name in a configuration.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// Bytes that are put before each packet for a target with this address.
    #[must_use]
    pub const fn overhead(self, target: IpAddr) -> u32 {
        let outer = if target.is_ipv4() { 20 } else { 40 };
        match self {
            Self::Ipip => outer,
            Self::Gue => outer + 8,
            Self::L2dsr | Self::Nat | Self::Fullnat => 0,
        }
    }

    /// Whether a target has to unwrap packets.
    #[must_use]
    pub const fn is_tunnel(self) -> bool {
        matches!(self, Self::Ipip | Self::Gue)
    }

    /// Whether packets arrive at a target with the VIP as destination.
    #[must_use]
    pub const fn keeps_vip(self) -> bool {
        matches!(self, Self::Ipip | Self::Gue | Self::L2dsr)
    }

    /// Whether answers go through the balancer.
    #[must_use]
    pub const fn is_translated(self) -> bool {
        matches!(self, Self::Nat | Self::Fullnat)
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::L2dsr => "l2dsr",
            Self::Nat => "nat",
            Self::Fullnat => "fullnat",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_overheads() {
        let (v4, v6) = ([10, 0, 0, 1].into(), "fd00::1".parse().unwrap());
        for (name, of_v4, of_v6) in
            [("ipip", 20, 40), ("gue", 28, 48), ("l2dsr", 0, 0), ("nat", 0, 0), ("fullnat", 0, 0)]
        {
            let mode = Forwarding::named(name).unwrap();
            assert_eq!(mode.to_string(), name);
            assert_eq!((mode.overhead(v4), mode.overhead(v6)), (of_v4, of_v6), "{name}");
        }
        assert_eq!(Forwarding::named("carrier-pigeon"), None);
    }
}
