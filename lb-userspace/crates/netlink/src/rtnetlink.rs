//! PURE: what the kernel says by rtnetlink, as far as next hops need it: interfaces, neighbours, routes.

use std::net::IpAddr;

use netlink_packet_route::neighbour::NeighbourState;

/// A network interface, as far as next hops need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its name.
    pub(super) name: String,
    /// Administratively up (IFF_UP).
    pub(super) up: bool,
    /// Operational: it has a carrier (IFF_RUNNING, RFC 2863).
    pub(super) running: bool,
    /// What frames it carries.
    pub(super) kind: LinkKind,
    /// Largest IP packet, in bytes.
    pub(super) mtu: u32,
    /// What makes it, as `ip -d link` says (`veth`, `bridge`, ...); empty for hardware.
    pub(super) device: String,
}

/// What frames an interface carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// Ethernet; its MAC.
    Ethernet([u8; 6]),
    /// Those of a VLAN on a parent interface (802.1Q).
    Vlan {
        /// Index of the parent.
        parent: u32,
        /// Number of the VLAN.
        number: u16,
        /// The MAC.
        mac: [u8; 6],
    },
    /// Those of this host to itself.
    Loopback,
    /// Anything else: tunnels, InfiniBand, ...
    Other,
}

/// Names a neighbour: index of an interface, and an address on its link.
pub(super) type NeighbourKey = (u32, IpAddr);

/// An entry of the ARP or neighbour discovery table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// State of its resolution.
    pub(super) state: NeighbourState,
    /// Its MAC, when the kernel knows one.
    pub(super) mac: Option<[u8; 6]>,
    /// The kernel keeps it resolved (NTF_EXT_MANAGED, Linux 5.16).
    pub(super) managed: bool,
    /// Somebody else's control plane put it there (NTF_EXT_LEARNED).
    pub(super) learned: bool,
}

impl Neighbour {
    /// Its MAC, if the kernel itself would send to it.
    pub(super) fn usable_mac(&self) -> Option<[u8; 6]> {
        match self.state {
            NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp => self.mac,
            _ => None,
        }
    }

    /// Whether it is configured, not learned: only its owner may change it.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self.state, NeighbourState::Permanent | NeighbourState::Noarp)
    }
}

/// The kernel's answer to "how would a packet reach this address".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// By an interface.
    Unicast {
        /// Index of the interface.
        interface: u32,
        /// The router, if there is one; its family may differ from the target's (RFC 5549).
        gateway: Option<IpAddr>,
        /// MTU of the route, in bytes, if it has one.
        mtu: Option<u32>,
    },
    /// The address is this host's own.
    Local,
    /// No host: "broadcast", "multicast" or "anycast".
    NotOneHost(&'static str),
    /// The route wraps packets (MPLS, SRv6, ...), which only the kernel's own stack does.
    Encapsulated,
    /// None, or one that says unreachable, blackhole or prohibit.
    Missing,
    /// The kernel could not say; its errno.
    Failed(i32),
}
