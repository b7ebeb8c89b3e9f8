//! Where packets of an interface go: its own addresses, and the MAC address of the next hop. It
//! asks the kernel and changes nothing, except for asking for a neighbour that is not known yet.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;
use lb_netlink::{LinkDetails, NetworkLookup, Resolver};
use lb_plan::{NextHop, NextHopState};
use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};
use tokio::sync::mpsc;

use super::{TrafficError, unicast::check_unicast};

/// How long a neighbour may take to answer.
const NEIGHBOUR_LIMIT: Duration = Duration::from_secs(3);

/// An interface and what its frames start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressPath {
    /// Index of the interface.
    pub interface: u32,
    /// Its MAC address.
    pub source_mac: [u8; 6],
    /// That of the next hop.
    pub destination_mac: [u8; 6],
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its addresses with the lengths of their prefixes.
    pub networks: Vec<IpNet>,
}

/// What an interface has counted as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transmitted {
    pub(super) packets: u64,
    pub(super) dropped: u64,
}

impl EgressPath {
    /// The path out of an interface to an address. The next hop's MAC is the route's, if none is
    /// given.
    pub async fn find(
        interface: &str,
        to: SocketAddr,
        mac: Option<[u8; 6]>,
    ) -> Result<Self, TrafficError> {
        check_unicast(to)?;
        let link = link(interface).await?;
        let refuse = |problem: String| TrafficError::usage("--interface", problem);
        if link.loopback {
            return Err(refuse(format!("{interface} is the loopback interface")));
        }
        let (source_mac, networks) = own_addresses(interface)?;
        let Some(source_mac) = source_mac else {
            return Err(refuse(format!("{interface} is not an Ethernet interface")));
        };
        if !link.up || !link.running {
            return Err(TrafficError::system(format!("send out of {interface}"))(
                std::io::Error::other("it is down, or has no carrier"),
            ));
        }
        let destination_mac = match mac {
            Some(mac) => check_mac(mac)?,
            None => next_hop(&link, to.ip()).await?.destination_mac,
        };
        Ok(Self { interface: link.index, source_mac, destination_mac, mtu: link.mtu, networks })
    }
}

/// What the interface has counted so far.
pub(super) async fn transmitted(index: u32) -> Result<Transmitted, TrafficError> {
    let links = links().await?;
    let link = links.iter().find(|link| link.index == index);
    let link = link.ok_or_else(|| {
        TrafficError::system("read the interface's counters")(std::io::Error::other("it is gone"))
    })?;
    Ok(Transmitted { packets: link.tx_packets, dropped: link.tx_dropped })
}

async fn links() -> Result<Vec<LinkDetails>, TrafficError> {
    let mut inquiry = NetworkLookup::open()?;
    inquiry.links().await.map_err(TrafficError::system("list the interfaces"))
}

async fn link(name: &str) -> Result<LinkDetails, TrafficError> {
    links().await?.into_iter().find(|link| link.name == name).ok_or_else(|| {
        let problem = format!("{name} does not exist; `ip link` lists those that do");
        TrafficError::usage("--interface", problem)
    })
}

/// The MAC address and networks of an interface.
fn own_addresses(name: &str) -> Result<(Option<[u8; 6]>, Vec<IpNet>), TrafficError> {
    let failed =
        |error: nix::Error| TrafficError::system("read the interface's addresses")(error.into());
    let mut mac = None;
    let mut networks = Vec::new();
    for entry in getifaddrs().map_err(failed)?.filter(|entry| entry.interface_name == name) {
        if let Some(link) = entry.address.as_ref().and_then(SockaddrStorage::as_link_addr) {
            mac = link.addr().filter(|mac| *mac != [0; 6]);
        }
        let address = entry.address.as_ref().and_then(ip);
        let mask = entry.netmask.as_ref().and_then(ip);
        if let (Some(address), Some(mask)) = (address, mask)
            && let Ok(network) = IpNet::with_netmask(address, mask)
            && !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
        {
            networks.push(network);
        }
    }
    Ok((mac, networks))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

fn check_mac(mac: [u8; 6]) -> Result<[u8; 6], TrafficError> {
    let problem = match mac {
        [0, 0, 0, 0, 0, 0] => "is not an address of a host",
        [first, ..] if first & 1 == 1 => "is a multicast or broadcast address",
        _ => return Ok(mac),
    };
    Err(TrafficError::usage("--mac", problem))
}

/// The next hop of an address, which must be reached by this interface.
async fn next_hop(link: &LinkDetails, to: IpAddr) -> Result<NextHop, TrafficError> {
    let refuse = |problem: String| TrafficError::usage("--to", problem);
    let mut inquiry = NetworkLookup::open()?;
    let path = inquiry.output_route(to).await.map_err(TrafficError::system("look up the route"))?;
    let name = &link.name;
    let Some(path) = path else {
        return Err(refuse(format!("there is no route to {to}; set a next hop with --mac")));
    };
    if path.interface != link.index {
        return Err(refuse(format!(
            "the route to {to} does not leave by {name}; add a route, or name a next hop with --mac"
        )));
    }
    let (sender, mut updates) = mpsc::unbounded_channel();
    let resolver = Resolver::start(sender)?;
    resolver.watch(BTreeSet::from([to]));
    let mut state = String::from("the kernel did not answer");
    let answered = tokio::time::timeout(NEIGHBOUR_LIMIT, async {
        while let Some(update) = updates.recv().await {
            match update.get(&to) {
                Some(NextHopState::Resolved(hop)) => return Some(*hop),
                Some(NextHopState::Asking(text) | NextHopState::Unresolved(text)) => {
                    state.clone_from(text);
                }
                None => {}
            }
        }
        None
    });
    match answered.await.ok().flatten() {
        Some(hop) if hop.vlan != 0 => Err(TrafficError::usage(
            "--interface",
            format!("{name} is a VLAN: it does not support XDP; VLAN tags are not sent"),
        )),
        Some(hop) => Ok(hop),
        None => Err(refuse(format!(
            "the MAC address of the next hop to {to} is not known ({state}); set it with --mac"
        ))),
    }
}
