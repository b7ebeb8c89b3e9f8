//! Facts of a target.

use std::net::IpAddr;

use lb_netlink::listening_sockets;

use super::{GatherError, Host, interface::interface, procfs};
use crate::{Forwarding, LocalAddress, RouteToClients, TargetFacts, TunnelDevice};

/// Addresses somewhere on the Internet: used for a route lookup on the host. Nothing is sent.
const CLIENTS: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(1, 0, 0, 1)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1)),
];

/// Kinds of tunnel devices that unwrap IP in IP.
const TUNNELS: [&str; 3] = ["ipip", "sit", "ip6tnl"];

/// What is to be checked.
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
    let mut host = Host::inspect().await?;
    let routes = routes(&mut host).await?;
    let default = || routes.first().map(|route| route.interface.clone());
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
        routes,
    })
}

async fn routes(host: &mut Host) -> Result<Vec<RouteToClients>, GatherError> {
    let mut routes = Vec::new();
    for client in CLIENTS {
        let route =
            host.inquiry.output_route(client).await.map_err(GatherError::kernel("routes"))?;
        let Some(route) = route else { continue };
        let Some(link) = host.numbered(route.interface) else { continue };
        routes.push(RouteToClients {
            ipv6: client.is_ipv6(),
            interface: link.name.clone(),
            gateway: route.gateway,
            mtu: route.mtu.unwrap_or(link.mtu).min(link.mtu),
            advmss: route.advmss,
        });
    }
    Ok(routes)
}

/// IPv4 addresses from the C library, IPv6 ones from procfs, which has their flags.
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
