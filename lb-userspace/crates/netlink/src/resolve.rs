//! PURE: links, neighbours and the kernel's answer for an address -> its [`NextHopState`].
//!
//! It deliberately does no I/O: the kernel's answers are parameters, and the result is a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use ipnet::IpNet;
use netlink_packet_route::neighbour::NeighbourState;

use super::{
    NextHop, NextHopState,
    netdev::Takes,
    rtnetlink::{Link, LinkKind, Neighbour, NeighbourKey, Route},
    xdp_transmit::{self, Ingress},
};

/// What is known of the host's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// Interfaces by index.
    pub(super) links: BTreeMap<u32, Link>,
    /// Neighbours.
    pub(super) neighbours: BTreeMap<NeighbourKey, Neighbour>,
    /// Answers for the watched addresses; without an entry: not asked yet.
    pub(super) routes: BTreeMap<IpAddr, Route>,
    /// Which interfaces send redirected frames; `None` where the kernel does not say.
    pub(super) takes: Option<Takes>,
    /// Where the program runs.
    pub(super) ingress: Ingress,
}

/// The route to an address up to its next neighbour.
struct Path<'a> {
    /// The interface that the neighbour is on.
    interface: u32,
    link: &'a Link,
    exit: Exit,
    neighbour: IpAddr,
    mtu: u16,
    on_link: bool,
}

/// The neighbour that an address depends on, if its route is usable so far.
pub(super) fn neighbour_of(address: IpAddr, network: &Network) -> Option<NeighbourKey> {
    path(address, network).ok().map(|path| (path.interface, path.neighbour))
}

/// What is known of an address. `refusal` is the errno with which the kernel refused to resolve
/// a neighbour, if it did.
pub(super) fn resolve(
    address: IpAddr,
    network: &Network,
    refusal: impl Fn(NeighbourKey) -> Option<i32>,
) -> NextHopState {
    let path = match path(address, network) {
        Ok(path) => path,
        Err(reason) if !network.routes.contains_key(&address) => {
            return NextHopState::Asking(reason);
        }
        Err(reason) => return NextHopState::Unresolved(reason),
    };
    let key = (path.interface, path.neighbour);
    let neighbour = network.neighbours.get(&key);
    if let Some(destination_mac) = neighbour.and_then(Neighbour::usable_mac) {
        return NextHopState::Resolved(NextHop {
            interface: path.exit.interface,
            vlan: path.exit.vlan,
            source_mac: path.exit.mac,
            destination_mac,
            mtu: path.mtu,
            on_link: path.on_link,
        });
    }
    let why = silence(address, &path, refusal(key));
    let gave_up = neighbour.is_some_and(|known| known.state == NeighbourState::Failed);
    if gave_up || refusal(key).is_some() {
        NextHopState::Unresolved(why)
    } else {
        NextHopState::Asking(why)
    }
}

/// The part of a set of addresses that is in a prefix.
pub(super) fn within(
    addresses: &BTreeSet<IpAddr>,
    prefix: IpNet,
) -> impl Iterator<Item = IpAddr> + '_ {
    addresses.range(prefix.network()..=prefix.broadcast()).copied()
}

fn path(address: IpAddr, network: &Network) -> Result<Path<'_>, String> {
    let Some(route) = network.routes.get(&address) else {
        return Err(format!("the route to {address} is not known yet"));
    };
    let (interface, gateway, route_mtu) = match route {
        Route::Unicast { interface, gateway, mtu } => (*interface, *gateway, *mtu),
        Route::Local => return Err(own(address)),
        Route::NotOneHost(kind) => {
            return Err(format!("{address} is a {kind} address; a target must be one host"));
        }
        Route::Encapsulated => {
            return Err(format!(
                "the route to {address} encapsulates packets (such as MPLS or SRv6): not supported"
            ));
        }
        Route::Missing => return Err(format!("no route to {address}")),
        Route::Failed(errno) => {
            let error = io::Error::from_raw_os_error(*errno);
            return Err(format!("the kernel cannot route {address}: {error}"));
        }
    };
    let Some(link) = network.links.get(&interface) else {
        return Err(format!("the interface towards {address} (index {interface}) does not exist"));
    };
    let exit = exit(address, interface, link, network)?;
    if let Some(sender) = network.links.get(&exit.interface) {
        let (takes, ingress) = (network.takes.as_ref(), &network.ingress);
        let refusal = xdp_transmit::refusal(address, exit.interface, sender, takes, ingress);
        refusal.map_or(Ok(()), Err)?;
    }
    Ok(Path {
        interface,
        link,
        exit,
        neighbour: gateway.unwrap_or(address),
        mtu: mtu(route_mtu, link.mtu),
        on_link: gateway.is_none_or(|gateway| gateway == address),
    })
}

/// How frames leave by a link.
struct Exit {
    /// The interface that they really leave by.
    interface: u32,
    /// Number of the VLAN whose tag they get; 0 is none.
    vlan: u16,
    mac: [u8; 6],
}

/// How frames leave by a link, if they can.
fn exit(address: IpAddr, interface: u32, link: &Link, network: &Network) -> Result<Exit, String> {
    let name = &link.name;
    match link.kind {
        LinkKind::Loopback => Err(own(address)),
        _ if !link.up => Err(format!("interface {name} is down")),
        _ if !link.running => Err(format!("interface {name} has no carrier")),
        LinkKind::Other => {
            Err(format!("interface {name} is not Ethernet: targets must be reached over Ethernet"))
        }
        LinkKind::Ethernet(mac) => Ok(Exit { interface, vlan: 0, mac }),
        LinkKind::Vlan { parent, number, mac } => match network.links.get(&parent) {
            Some(Link { kind: LinkKind::Ethernet(_), .. }) => {
                Ok(Exit { interface: parent, vlan: number, mac })
            }
            Some(Link { kind: LinkKind::Vlan { .. }, .. }) => Err(format!(
                "interface {name} is a VLAN in a VLAN: targets must be reached with at most one tag"
            )),
            Some(Link { name: parent, .. }) => {
                Err(format!("interface {parent} of VLAN {name} is not Ethernet"))
            }
            None => Err(format!("the parent of VLAN interface {name} does not exist")),
        },
    }
}

fn own(address: IpAddr) -> String {
    format!("{address} is an address of this host; a target must be another host")
}

/// A route may ask for less than its interface can, never for more: the data path does not pass
/// the kernel's stack, and an interface drops what exceeds its own MTU without a word.
fn mtu(route: Option<u32>, link: u32) -> u16 {
    // Zero is how RTAX_MTU says "none".
    let route = route.filter(|mtu| *mtu != 0).unwrap_or(link);
    u16::try_from(route.min(link)).unwrap_or(u16::MAX)
}

/// Why a neighbour has no MAC.
fn silence(address: IpAddr, path: &Path<'_>, refusal: Option<i32>) -> String {
    let (neighbour, name) = (path.neighbour, &path.link.name);
    let role =
        if path.on_link { String::new() } else { format!(", the gateway towards {address}") };
    let family = if neighbour.is_ipv4() { "ipv4" } else { "ipv6" };
    match refusal {
        None => format!("no answer to ARP/neighbour discovery for {neighbour} on {name}{role}"),
        Some(libc::ENOBUFS) => format!(
            "the kernel's neighbour table is full, without an entry for {neighbour} on \
             {name}{role}: raise sysctl net.{family}.neigh.default.gc_thresh3"
        ),
        Some(errno) => {
            let error = io::Error::from_raw_os_error(errno);
            format!("the kernel refuses to resolve {neighbour} on {name}{role}: {error}")
        }
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
