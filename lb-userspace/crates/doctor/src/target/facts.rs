//! What is known of a target. Values only; `gather` fills them.

use std::net::IpAddr;

use lb_config::ListeningSocket;

use crate::{Forwarding, InterfaceFacts, Setting};

/// All of it.
#[derive(Clone, Debug)]
pub struct TargetFacts {
    /// The VIPs that it should serve.
    pub vips: Vec<IpAddr>,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// The port that it should serve.
    pub port: Option<u16>,
    /// The balancer's address, if it was named.
    pub balancer: Option<IpAddr>,
    /// The interface towards the balancer.
    pub interface: InterfaceFacts,
    /// Which ARP requests the interface answers.
    pub arp_ignore: Setting,
    /// Which addresses it names in its own.
    pub arp_announce: Setting,
    /// All addresses of the host.
    pub addresses: Vec<LocalAddress>,
    /// Its tunnel devices.
    pub tunnels: Vec<TunnelDevice>,
    /// What listens.
    pub listening: Vec<ListeningSocket>,
    /// How answers leave, for IPv4 and IPv6, where they do.
    pub routes: Vec<RouteToClients>,
}

/// An address of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub address: IpAddr,
    /// The interface that has it.
    pub interface: String,
    /// Whether that is a loopback interface.
    pub loopback: bool,
    /// Duplicate address detection is not over (IPv6).
    pub tentative: bool,
    /// Another host has it, says duplicate address detection (IPv6).
    pub dad_failed: bool,
}

/// A device of the kernel that unwraps packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelDevice {
    /// Its name.
    pub name: String,
    /// `ipip`, `sit` or `ip6tnl`.
    pub kind: String,
    /// Whether it is up.
    pub up: bool,
    /// Its `rp_filter`.
    pub rp_filter: Setting,
}

/// How answers leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteToClients {
    /// For IPv6.
    pub ipv6: bool,
    /// The interface that they leave by.
    pub interface: String,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// Largest packet on it.
    pub mtu: u32,
    /// MSS that the route says, if it does.
    pub advmss: Option<u32>,
}

impl TargetFacts {
    /// How answers leave for clients of this family.
    pub(super) fn route(&self, ipv6: bool) -> Option<&RouteToClients> {
        self.routes.iter().find(|route| route.ipv6 == ipv6)
    }

    /// The families of the VIPs: `true` for IPv6.
    pub(super) fn families(&self) -> impl Iterator<Item = bool> + '_ {
        [false, true].into_iter().filter(|ipv6| self.vips.iter().any(|vip| vip.is_ipv6() == *ipv6))
    }
}

/// `IPv4` or `IPv6`.
pub(super) const fn family_name(ipv6: bool) -> &'static str {
    if ipv6 { "IPv6" } else { "IPv4" }
}
