//! A single lookup of the host's network, for `xelb doctor`: interfaces with details that next hops
//! do not need, and routes to addresses. It follows nothing and changes nothing, neighbours
//! included.

use std::{collections::BTreeMap, io, net::IpAddr};

use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_route::{
    link::LinkFlags,
    route::{RouteHeader, RouteType},
};

use super::{
    NextHopState, ResolverError,
    decode::{self, Message, attributes, number, text},
    encode,
    netdev::Netdev,
    netlink::Requests,
    resolve::{self, Network},
    xdp_transmit::Ingress,
};

const LINK_HEADER_LEN: usize = 16;
const ROUTE_HEADER_LEN: usize = 12;

// linux/if_link.h
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const XDP_ATTACHED_SKB: u8 = 2;
/// Places in `struct rtnl_link_stats64`, which is all of 64-bit numbers.
const STATS_RX_PACKETS: usize = 0;
const STATS_TX_PACKETS: usize = 1;
const STATS_TX_DROPPED: usize = 7;
const STATS_RX_DROPPED: usize = 6;
const STATS_RX_MISSED: usize = 15;

// linux/rtnetlink.h
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;
const RTAX_ADVMSS: u16 = 8;

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpOnLink {
    /// Whether it runs in the kernel's stack instead of in the driver.
    pub generic: bool,
    /// The kernel's id of the program.
    pub program: u32,
}

/// An interface as a person sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkDetails {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What makes it, as `ip -d link` says (`veth`, `ipip`, ...); empty for hardware.
    pub kind: String,
    /// Administratively up.
    pub up: bool,
    /// It has a carrier.
    pub running: bool,
    /// Whether it leads to this host itself.
    pub loopback: bool,
    /// Largest IP packet, in bytes.
    pub mtu: u32,
    /// Receive queues that were made with it.
    pub rx_queues: u32,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets that the kernel dropped, for lack of space or of a receiver.
    pub rx_dropped: u64,
    /// Packets that the device dropped since its ring was full.
    pub rx_missed: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_dropped: u64,
    /// The program on it.
    pub xdp: Option<XdpOnLink>,
    /// The parent interface of a VLAN.
    pub vlan_of: Option<u32>,
    /// The other end, and the number of its network namespace if that is another.
    pub(super) peer: Option<(u32, Option<i32>)>,
}

/// How packets leave for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRoute {
    /// Index of the interface.
    pub interface: u32,
    /// The router, if there is one.
    pub gateway: Option<IpAddr>,
    /// MTU of the route, if it has one.
    pub mtu: Option<u32>,
    /// MSS that the host announces on it, if the route says.
    pub advmss: Option<u32>,
}

/// A socket to ask the kernel with.
pub struct NetworkLookup {
    requests: Requests,
}

impl NetworkLookup {
    /// Opens it, inside a tokio runtime, in the network namespace of the calling thread.
    pub fn open() -> Result<Self, ResolverError> {
        Ok(Self { requests: Requests::open()? })
    }

    /// All interfaces.
    pub async fn links(&mut self) -> io::Result<Vec<LinkDetails>> {
        self.requests.dump(encode::all_links_counted(), new_link).await
    }

    /// How packets leave for an address; `None` if they do not.
    pub async fn output_route(&mut self, address: IpAddr) -> io::Result<Option<OutputRoute>> {
        let request = (encode::route(address), NLM_F_REQUEST);
        let replies = self.requests.exchange(vec![request], |message| {
            (message.kind == libc::RTM_NEWROUTE).then(|| output_route(message.payload)).flatten()
        });
        Ok(replies.await?.into_iter().find_map(|reply| reply.values.into_iter().next()))
    }

    /// The next hops of addresses as the kernel knows them now.
    pub async fn next_hops(
        &mut self,
        addresses: &[IpAddr],
        ingress: Ingress,
    ) -> io::Result<BTreeMap<IpAddr, NextHopState>> {
        let links = self.requests.links().await?;
        let neighbours = self.requests.neighbours().await?;
        let routes = self.requests.routes(addresses).await?;
        let routes = addresses.iter().copied().zip(routes).collect();
        let takes = Netdev::open()?.map(|mut netdev| netdev.takes()).transpose()?;
        let network = Network { links, neighbours, routes, takes, ingress };
        let state = |address: &IpAddr| resolve::resolve(*address, &network, |_| None);
        Ok(addresses.iter().map(|address| (*address, state(address))).collect())
    }
}

pub(super) fn new_link(message: Message<'_>) -> Option<LinkDetails> {
    (message.kind == libc::RTM_NEWLINK).then(|| details(message.payload)).flatten()
}

/// PURE: an interface from RTM_NEWLINK.
fn details(payload: &[u8]) -> Option<LinkDetails> {
    let header = decode::link_header(payload)?;
    let mut link = LinkDetails {
        index: header.index,
        up: header.flags.contains(LinkFlags::Up),
        running: header.flags.contains(LinkFlags::Running),
        loopback: header.flags.contains(LinkFlags::Loopback),
        ..LinkDetails::default()
    };
    let (mut peer, mut namespace) = (None, None);
    for (kind, value) in attributes(payload, LINK_HEADER_LEN) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = number(value)?,
            IFLA_LINK => peer = number(value),
            IFLA_LINK_NETNSID => namespace = value.try_into().ok().map(i32::from_ne_bytes),
            IFLA_NUM_RX_QUEUES => link.rx_queues = number(value)?,
            IFLA_LINKINFO => {
                link.kind = decode::info_kind(value);
            }
            IFLA_STATS64 => {
                link.rx_packets = counter(value, STATS_RX_PACKETS);
                link.rx_dropped = counter(value, STATS_RX_DROPPED);
                link.rx_missed = counter(value, STATS_RX_MISSED);
                link.tx_packets = counter(value, STATS_TX_PACKETS);
                link.tx_dropped = counter(value, STATS_TX_DROPPED);
            }
            IFLA_XDP => link.xdp = xdp(value),
            _ => {}
        }
    }
    link.vlan_of = peer.filter(|_| link.kind == "vlan");
    link.peer = peer.filter(|_| link.kind == "veth").map(|index| (index, namespace));
    Some(link)
}

fn counter(stats: &[u8], place: usize) -> u64 {
    let value = stats.chunks_exact(8).nth(place).and_then(|bytes| bytes.try_into().ok());
    value.map_or(0, u64::from_ne_bytes)
}

fn xdp(value: &[u8]) -> Option<XdpOnLink> {
    let (mut mode, mut any, mut native) = (0, None, None);
    for (kind, value) in attributes(value, 0) {
        match kind {
            IFLA_XDP_ATTACHED => mode = value.first().copied().unwrap_or_default(),
            IFLA_XDP_PROG_ID => any = number(value),
            IFLA_XDP_DRV_PROG_ID => native = number(value),
            _ => {}
        }
    }
    let program = native.or(any)?;
    Some(XdpOnLink { generic: mode == XDP_ATTACHED_SKB, program })
}

/// PURE: the answer to RTM_GETROUTE.
fn output_route(payload: &[u8]) -> Option<OutputRoute> {
    let header = RouteHeader::parse(payload).ok()?;
    if header.kind != RouteType::Unicast {
        return None;
    }
    let (mut interface, mut gateway, mut mtu, mut advmss) = (None, None, None, None);
    for (kind, value) in attributes(payload, ROUTE_HEADER_LEN) {
        match kind {
            RTA_OIF => interface = number(value),
            RTA_GATEWAY => gateway = decode::address(header.address_family, value),
            RTA_METRICS => {
                for (kind, value) in attributes(value, 0) {
                    match kind {
                        RTAX_MTU => mtu = number(value).filter(|mtu| *mtu != 0),
                        RTAX_ADVMSS => advmss = number(value).filter(|mss| *mss != 0),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(OutputRoute { interface: interface?, gateway, mtu, advmss })
}

impl std::fmt::Debug for NetworkLookup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inquiry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn an_interface_is_read() {
        // ifinfomsg: family, type 1 (Ethernet), index 7, flags up and running.
        let mut payload = [vec![0, 0], 1_u16.to_ne_bytes().to_vec()].concat();
        payload.extend(7_i32.to_ne_bytes());
        payload.extend(0x41_u32.to_ne_bytes());
        payload.extend([0; 4]);
        let stats: Vec<u8> = (0..25_u64).flat_map(u64::to_ne_bytes).collect();
        let program = [
            attribute(IFLA_XDP_ATTACHED, &[XDP_ATTACHED_SKB]),
            attribute(IFLA_XDP_PROG_ID, &9_u32.to_ne_bytes()),
        ];
        for (kind, value) in [
            (IFLA_IFNAME, b"eth0\0".to_vec()),
            (IFLA_MTU, 1500_u32.to_ne_bytes().to_vec()),
            (IFLA_LINK, 3_u32.to_ne_bytes().to_vec()),
            (IFLA_LINK_NETNSID, 2_i32.to_ne_bytes().to_vec()),
            (IFLA_LINKINFO, attribute(1, b"veth")),
            (IFLA_STATS64, stats),
            (IFLA_XDP, program.concat()),
        ] {
            payload.extend(attribute(kind, &value));
        }
        let link = details(&payload).unwrap();
        assert_eq!((link.index, link.name.as_str(), link.kind.as_str()), (7, "eth0", "veth"));
        assert_eq!((link.up, link.running, link.loopback, link.mtu), (true, true, false, 1500));
        assert_eq!((link.rx_dropped, link.rx_missed), (6, 15));
        assert_eq!((link.tx_packets, link.tx_dropped), (1, 7));
        assert_eq!(link.xdp, Some(XdpOnLink { generic: true, program: 9 }));
        assert_eq!(link.peer, Some((3, Some(2))));
    }

    #[test]
    fn an_output_route_has_its_metrics() {
        let metrics = [
            attribute(RTAX_MTU, &1400_u32.to_ne_bytes()),
            attribute(RTAX_ADVMSS, &1300_u32.to_ne_bytes()),
        ];
        // rtmsg: AF_INET, lengths, tos, table, protocol, scope, type 1 (unicast), flags.
        let mut payload = vec![2, 32, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        payload.extend(attribute(RTA_OIF, &4_u32.to_ne_bytes()));
        payload.extend(attribute(RTA_GATEWAY, &[10, 0, 0, 1]));
        payload.extend(attribute(RTA_METRICS, &metrics.concat()));
        let gateway = Some([10, 0, 0, 1].into());
        let wanted = OutputRoute { interface: 4, gateway, mtu: Some(1400), advmss: Some(1300) };
        assert_eq!(output_route(&payload), Some(wanted));
        payload[7] = 7; // unreachable
        assert_eq!(output_route(&payload), None);
    }
}
