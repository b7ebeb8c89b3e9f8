//! The network of a lab: who is there, with which addresses, and the commands that build it.
//!
//! ```text
//!   client1  10.1.1.2  fd00:1:1::2 ──┐
//!                                    ├── router ── switch ─┬─ lb  10.0.0.2   fd00::2
//!   client2  10.1.2.2  fd00:1:2::2 ──┘                     ├─ t1  10.0.0.11  fd00::11
//!                                                          ├─ t2  10.0.0.12  fd00::12 ...
//! ```
//! The router sends what is for a VIP to `lb`; targets answer through the router, not through `lb`
//! (direct server return). Clients have links of 1500 bytes, the LAN has 1600: room for an outer
//! header around a full packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{error::Result, host::Host, sandbox::Sandbox, xdp_pass::XdpPass};

/// The VIP of IPv4 clients.
pub const VIP_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// The VIP of IPv6 clients.
pub const VIP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x10, 0, 0, 0, 0, 0x10);
/// The balancer's interface.
pub const LB_INTERFACE: &str = "eth0";
/// The most targets of a lab: their addresses end in 11 to 19.
pub const TARGETS_MAX: u8 = 9;
/// Clients of a lab.
pub const CLIENTS: u8 = 2;

/// MTU of the LAN.
pub const LAN_MTU: u16 = 1600;
const CLIENT_MTU: u16 = 1500;

/// Both VIPs.
pub const VIPS: [IpAddr; 2] = [IpAddr::V4(VIP_V4), IpAddr::V6(VIP_V6)];

/// IPv4 address of a target; they count from 1.
#[must_use]
pub const fn target_v4(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 10 + number)
}

/// IPv6 address of a target; it ends in the digits of the IPv4 address.
#[must_use]
pub fn target_v6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x10 + u16::from(number))
}

/// IPv4 address of a client; they count from 1.
#[must_use]
pub const fn client_v4(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, number, 2)
}

/// IPv6 address of a client.
#[must_use]
pub fn client_v6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 1, u16::from(number), 0, 0, 0, 0, 2)
}

/// The address of a client in the family of `vip`: what a target sees of it.
#[must_use]
pub fn client_for(number: u8, vip: IpAddr) -> IpAddr {
    match vip {
        IpAddr::V4(_) => client_v4(number).into(),
        IpAddr::V6(_) => client_v6(number).into(),
    }
}

/// The hosts, connected.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) clients: Vec<Host>,
    pub(crate) router: Host,
    pub(crate) switch: Host,
    pub(crate) lb: Host,
    pub(crate) targets: Vec<Host>,
    _pass: XdpPass,
}

impl Network {
    /// Builds it with `targets` targets.
    pub(crate) fn build(sandbox: &Sandbox, targets: u8) -> Result<Self> {
        assert!((1..=TARGETS_MAX).contains(&targets), "a lab has 1 to {TARGETS_MAX} targets");
        let switch = Host::new(sandbox, "switch")?;
        switch.ip("link add name br0 mtu 1600 type bridge stp_state 0 mcast_snooping 0")?;
        switch.ip("link set br0 up")?;
        let router = build_router(sandbox, &switch)?;
        let clients = (1..=CLIENTS)
            .map(|number| build_client(sandbox, &router, number))
            .collect::<Result<_>>()?;
        let (lb, pass) = build_lb(sandbox, &switch)?;
        let targets = (1..=targets)
            .map(|number| build_target(sandbox, &switch, number))
            .collect::<Result<_>>()?;
        Ok(Self { clients, router, switch, lb, targets, _pass: pass })
    }
}

fn build_router(sandbox: &Sandbox, switch: &Host) -> Result<Host> {
    let router = Host::new(sandbox, "router")?;
    plug(switch, &router, "lan")?;
    address(&router, "lan", &["10.0.0.1/24", "fd00::1/64"])?;
    router.set("net/ipv4/ip_forward", "1")?;
    router.set("net/ipv6/conf/all/forwarding", "1")?;
    router.ip(&format!("route add {VIP_V4}/32 via 10.0.0.2"))?;
    router.ip(&format!("-6 route add {VIP_V6}/128 via fd00::2"))?;
    Ok(router)
}

fn build_client(sandbox: &Sandbox, router: &Host, number: u8) -> Result<Host> {
    let client = Host::new(sandbox, &format!("client{number}"))?;
    let port = format!("c{number}");
    connect(router, &port, &client, "eth0", CLIENT_MTU)?;
    address(router, &port, &[&format!("10.1.{number}.1/24"), &format!("fd00:1:{number}::1/64")])?;
    address(
        &client,
        "eth0",
        &[&format!("{}/24", client_v4(number)), &format!("{}/64", client_v6(number))],
    )?;
    client.ip(&format!("route add default via 10.1.{number}.1"))?;
    client.ip(&format!("-6 route add default via fd00:1:{number}::1"))?;
    Ok(client)
}

fn build_lb(sandbox: &Sandbox, switch: &Host) -> Result<(Host, XdpPass)> {
    let lb = Host::new(sandbox, "lb")?;
    plug(switch, &lb, LB_INTERFACE)?;
    let pass = XdpPass::attach(switch, "lb")?;
    address(&lb, LB_INTERFACE, &["10.0.0.2/24", "fd00::2/64"])?;
    default_routes(&lb)?;
    Ok((lb, pass))
}

fn build_target(sandbox: &Sandbox, switch: &Host, number: u8) -> Result<Host> {
    let target = Host::new(sandbox, &format!("t{number}"))?;
    // The VIP is on every target: none may answer or ask for it on the LAN.
    target.set("net/ipv4/conf/all/arp_ignore", "1")?;
    target.set("net/ipv4/conf/all/arp_announce", "2")?;
    plug(switch, &target, "eth0")?;
    address(
        &target,
        "eth0",
        &[&format!("{}/24", target_v4(number)), &format!("{}/64", target_v6(number))],
    )?;
    default_routes(&target)?;
    address(&target, "lo", &[&format!("{VIP_V4}/32"), &format!("{VIP_V6}/128")])?;
    Ok(target)
}

impl Network {
    /// Gives the LAN another MTU.
    pub(crate) fn set_lan_mtu(&self, mtu: u16) -> Result<()> {
        let hosts = [(&self.router, "lan"), (&self.lb, LB_INTERFACE)];
        let targets = self.targets.iter().map(|target| (target, "eth0"));
        for (host, interface) in hosts.into_iter().chain(targets) {
            self.switch.ip(&format!("link set {} mtu {mtu}", host.name()))?;
            host.ip(&format!("link set {interface} mtu {mtu}"))?;
        }
        self.switch.ip(&format!("link set br0 mtu {mtu}")).map(drop)
    }

    /// Gives the links between router and clients another MTU.
    pub(crate) fn set_client_mtu(&self, mtu: u16) -> Result<()> {
        for (number, client) in (1..).zip(&self.clients) {
            self.router.ip(&format!("link set c{number} mtu {mtu}"))?;
            client.ip(&format!("link set eth0 mtu {mtu}"))?;
        }
        Ok(())
    }
}

fn default_routes(host: &Host) -> Result<()> {
    host.ip("route add default via 10.0.0.1")?;
    host.ip("-6 route add default via fd00::1")?;
    Ok(())
}

/// Connects an interface of a host to the switch, at the port with the host's name.
pub fn plug(switch: &Host, host: &Host, interface: &str) -> Result<()> {
    connect(switch, host.name(), host, interface, LAN_MTU)?;
    switch.ip(&format!("link set {} master br0", host.name()))?;
    Ok(())
}

/// Makes a veth pair. Checksums and segmentation are done in software at both ends: what a veth
/// passes on unfinished would reach XDP as packets that no wire could carry.
pub fn connect(left: &Host, port: &str, right: &Host, interface: &str, mtu: u16) -> Result<()> {
    left.ip(&format!(
        "link add name {port} mtu {mtu} type veth peer name {interface} mtu {mtu} netns {}",
        right.name()
    ))?;
    for (host, device) in [(left, port), (right, interface)] {
        host.words("ethtool", &format!("-K {device} tx off rx off tso off gso off gro off"))?;
        host.ip(&format!("link set {device} up"))?;
    }
    Ok(())
}

/// Gives an interface of a host addresses, with the lengths of their prefixes.
pub fn address(host: &Host, interface: &str, addresses: &[&str]) -> Result<()> {
    for address in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        host.ip(&format!("address add {address} dev {interface} {nodad}"))?;
    }
    Ok(())
}
