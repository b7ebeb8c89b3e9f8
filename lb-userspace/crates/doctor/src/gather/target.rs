//! Facts of a target.

use std::net::IpAddr;

use lb_netlink::listening_sockets;

use super::{GatherError, Host, interface::interface, procfs};
use crate::{Forwarding, LocalAddress, TargetFacts, TunnelDevice, WayToClients};

/// Addresses somewhere on the Internet: the host is asked how it would send there. Nothing is sent.
const CLIENTS: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(1, 0, 0, 1)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1)),
];

/// Kinds of tunnel devices that unwrap IP in IP.
const TUNNELS: [&str; 3] = ["ipip", "sit", "ip6tnl"];

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct TargetQuestion {
    /// The VIPs that this host should serve.
    pub vips: Vec<IpAddr>,
    /// The interface towards the balancer; without it, that of the default route.
    pub interface: Option<String>,
    /// How packets reach this host.
    pub forwarding: Forwarding,
    /// The port that it should serve.
    pub port: Option<u16>,
    /// The balancer's address.
    pub balancer: Option<IpAddr>,
}

/// Looks at this host.
pub async fn target(question: TargetQuestion) -> Result<TargetFacts, GatherError> {
    let mut host = Host::look().await?;
    let ways = ways(&mut host).await?;
    let default = || ways.first().map(|way| way.interface.clone());
    let name = question.interface.or_else(default).ok_or(GatherError::NoDefaultRoute)?;
    let interface = interface(&host, &name)?;
    Ok(TargetFacts {
        vips: question.vips,
        forwarding: question.forwarding,
        port: question.port,
        balancer: question.balancer,
        interface,
        arp_ignore: procfs::setting(&name, "arp_ignore"),
        arp_announce: procfs::setting(&name, "arp_announce"),
        addresses: addresses(&host)?,
        tunnels: tunnels(&host),
        listening: listening_sockets(),
        ways,
    })
}

async fn ways(host: &mut Host) -> Result<Vec<WayToClients>, GatherError> {
    let mut ways = Vec::new();
    for client in CLIENTS {
        let way = host.inquiry.way(client).await.map_err(GatherError::kernel("routes"))?;
        let Some(way) = way else { continue };
        let Some(link) = host.numbered(way.interface) else { continue };
        ways.push(WayToClients {
            ipv6: client.is_ipv6(),
            interface: link.name.clone(),
            gateway: way.gateway,
            mtu: way.mtu.unwrap_or(link.mtu).min(link.mtu),
            advmss: way.advmss,
        });
    }
    Ok(ways)
}

/// IPv4 addresses from the C library, IPv6 ones from where their flags stand.
fn addresses(host: &Host) -> Result<Vec<LocalAddress>, GatherError> {
    let loopback = |name: &str| host.named(name).is_ok_and(|link| link.loopback);
    let all = nix::ifaddrs::getifaddrs()
        .map_err(|error| GatherError::kernel("addresses")(error.into()))?;
    let v4 = all.filter_map(|entry| {
        let address = entry.address?.as_sockaddr_in()?.ip();
        // An address may have a label, as in `lo:0`.
        let interface = entry.interface_name.split(':').next()?.to_owned();
        Some(LocalAddress {
            address: address.into(),
            loopback: loopback(&interface),
            interface,
            tentative: false,
            dad_failed: false,
        })
    });
    let v6 = procfs::ipv6_addresses().into_iter().map(|entry| LocalAddress {
        address: entry.address.into(),
        loopback: loopback(&entry.interface),
        interface: entry.interface,
        tentative: entry.tentative,
        dad_failed: entry.dad_failed,
    });
    Ok(v4.chain(v6).collect())
}

fn tunnels(host: &Host) -> Vec<TunnelDevice> {
    host.links
        .iter()
        .filter(|link| TUNNELS.contains(&link.kind.as_str()))
        .map(|link| TunnelDevice {
            name: link.name.clone(),
            kind: link.kind.clone(),
            up: link.up,
            rp_filter: procfs::setting(&link.name, "rp_filter"),
        })
        .collect()
}
