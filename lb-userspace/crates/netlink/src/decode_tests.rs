//! Cases of `decode`. Messages are written by netlink-packet-route, which is not ours, or by hand
//! where that is the point.

use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::{
    link::{InfoData, InfoKind, InfoVlan, LinkAttribute, LinkInfo, LinkMessage, VlanProtocol},
    neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::{RouteAttribute, RouteLwEnCapType, RouteMessage, RouteMetric},
};

use super::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn bytes(message: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

fn message(kind: u16, payload: &[u8]) -> Message<'_> {
    Message { kind, flags: 0, sequence: 0, payload }
}

fn ethernet(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 2;
    message.header.link_layer_type = LinkLayerType::Ether;
    message.header.flags = LinkFlags::Up | LinkFlags::Running;
    message.attributes = attributes;
    message
}

fn usual(mac: &[u8]) -> Vec<LinkAttribute> {
    vec![
        LinkAttribute::IfName("eth0".to_owned()),
        LinkAttribute::Mtu(1500),
        LinkAttribute::Address(mac.to_vec()),
    ]
}

fn eth0() -> Link {
    Link {
        name: "eth0".to_owned(),
        up: true,
        running: true,
        kind: LinkKind::Ethernet(MAC),
        mtu: 1500,
        device: String::new(),
    }
}

#[test]
fn links() {
    let kind = |kind| LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]);
    let tagged = |protocol| {
        let data = vec![InfoVlan::Id(5), InfoVlan::Protocol(protocol)];
        let info = vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(data))];
        let mut message = ethernet(usual(&MAC));
        message.attributes.extend([LinkAttribute::Link(7), LinkAttribute::LinkInfo(info)]);
        message
    };
    let vlan = tagged(VlanProtocol::Ieee8021Q);
    let service = tagged(VlanProtocol::Ieee8021Ad);
    let mut overlay = ethernet(usual(&MAC));
    overlay.attributes.push(kind(InfoKind::Vxlan));
    let mut tunnel = ethernet(usual(&[10, 0, 0, 1]));
    tunnel.header.link_layer_type = LinkLayerType::Tunnel;
    let mut infiniband = ethernet(usual(&[1; 20]));
    infiniband.header.link_layer_type = LinkLayerType::Infiniband;
    let mut loopback = ethernet(usual(&[0; 6]));
    loopback.header.link_layer_type = LinkLayerType::Loopback;
    loopback.header.flags = LinkFlags::Loopback;
    let mut port = ethernet(usual(&MAC));
    port.header.interface_family = AddressFamily::Bridge;
    let partial = ethernet(vec![LinkAttribute::IfName("wlan0".to_owned())]);
    let of = |kind| Link { kind, ..eth0() };
    let made = |device: &str, kind| Link { device: device.to_owned(), ..of(kind) };
    let lo = Link { up: false, running: false, ..of(LinkKind::Loopback) };
    for (name, message, wanted) in [
        ("Ethernet", ethernet(usual(&MAC)), Some(eth0())),
        ("VLAN", vlan, Some(made("vlan", LinkKind::Vlan { parent: 7, number: 5, mac: MAC }))),
        ("VLAN of a provider", service, Some(made("vlan", LinkKind::Other))),
        ("VXLAN", overlay, Some(made("vxlan", LinkKind::Ethernet(MAC)))),
        ("tunnel", tunnel, Some(of(LinkKind::Other))),
        ("InfiniBand", infiniband, Some(of(LinkKind::Other))),
        ("loopback", loopback, Some(lo)),
        ("port of a bridge", port, None),
        ("event of a wireless device", partial, None),
    ] {
        let bytes = bytes(&message);
        let wanted = wanted.map(|link| (2, link));
        assert_eq!(link(&bytes), wanted, "{name}");
        let wanted = wanted.map(|(index, link)| Event::Link(index, Some(link)));
        let event = event(self::message(libc::RTM_NEWLINK, &bytes));
        assert_eq!(event, wanted, "{name}");
    }
}

#[test]
fn an_interface_that_leaves_its_bridge_is_not_gone() {
    let gone = |message: &LinkMessage| event(self::message(libc::RTM_DELLINK, &bytes(message)));
    let mut link = ethernet(usual(&MAC));
    assert_eq!(gone(&link), Some(Event::Link(2, None)));
    link.header.interface_family = AddressFamily::Bridge;
    assert_eq!(gone(&link), None);
}

#[test]
fn an_attribute_of_an_unknown_shape_hides_nothing() {
    let mut bytes = bytes(&ethernet(usual(&MAC)));
    // IFLA_CARRIER_CHANGES (35) of one byte instead of four.
    bytes.extend([5, 0, 35, 0, 0xff, 0, 0, 0]);
    assert!(LinkMessage::parse(&bytes).is_err(), "it would hide the link");
    assert_eq!(link(&bytes), Some((2, eth0())));
}

fn neighbour_message(address: &str, state: NeighbourState) -> NeighbourMessage {
    let address = ip(address);
    let mut message = NeighbourMessage::default();
    message.header.family =
        if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.ifindex = 2;
    message.header.state = state;
    message.attributes = vec![
        NeighbourAttribute::Destination(address.into()),
        NeighbourAttribute::LinkLayerAddress(MAC.to_vec()),
    ];
    message
}

#[test]
fn neighbours() {
    for address in ["10.0.0.9", "2001:db8::9"] {
        let mut message = neighbour_message(address, NeighbourState::Stale);
        let mut wanted = Neighbour {
            state: NeighbourState::Stale,
            mac: Some(MAC),
            managed: false,
            learned: false,
        };
        let key = (2, ip(address));
        assert_eq!(neighbour(&bytes(&message)), Some((key, wanted)));
        let flags = NeighbourExtFlags::Managed | NeighbourExtFlags::Locked;
        message.attributes.push(NeighbourAttribute::ExtFlags(flags));
        message.header.flags = NeighbourFlags::ExtLearned | NeighbourFlags::Router;
        (wanted.managed, wanted.learned) = (true, true);
        let bytes = bytes(&message);
        assert_eq!(neighbour(&bytes), Some((key, wanted)));
        assert_eq!(
            event(self::message(libc::RTM_NEWNEIGH, &bytes)),
            Some(Event::Neighbour(key, Some(wanted)))
        );
        assert_eq!(
            event(self::message(libc::RTM_DELNEIGH, &bytes)),
            Some(Event::Neighbour(key, None))
        );
    }
    let mut proxy = neighbour_message("10.0.0.9", NeighbourState::None);
    proxy.header.flags = NeighbourFlags::Proxy;
    assert_eq!(neighbour(&bytes(&proxy)), None);
    let mut forwarding = neighbour_message("10.0.0.9", NeighbourState::Permanent);
    forwarding.header.family = AddressFamily::Bridge;
    assert_eq!(neighbour(&bytes(&forwarding)), None);
}

fn route_message(kind: RouteType, attributes: Vec<RouteAttribute>) -> Vec<u8> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message.header.kind = kind;
    message.attributes = attributes;
    bytes(&message)
}

#[test]
fn routes() {
    let unicast =
        |gateway: Option<&str>, mtu| Route::Unicast { interface: 2, gateway: gateway.map(ip), mtu };
    let four = |text: &str| RouteAttribute::Gateway(ip(text).into());
    let metrics = vec![RouteMetric::Advmss(1400), RouteMetric::Mtu(1450)];
    for (attributes, wanted) in [
        (vec![], unicast(None, None)),
        (vec![four("10.0.0.1")], unicast(Some("10.0.0.1"), None)),
        (vec![RouteAttribute::Via(ip("fe80::1").into())], unicast(Some("fe80::1"), None)),
        (vec![RouteAttribute::Metrics(metrics)], unicast(None, Some(1450))),
        (vec![RouteAttribute::EncapType(RouteLwEnCapType::Mpls)], Route::Encapsulated),
    ] {
        let attributes = [vec![RouteAttribute::Oif(2)], attributes].concat();
        let bytes = route_message(RouteType::Unicast, attributes);
        assert_eq!(route(&bytes), Some(wanted));
    }
    for (kind, wanted) in [
        (RouteType::Local, Route::Local),
        (RouteType::Broadcast, Route::NotOneHost("broadcast")),
        (RouteType::Multicast, Route::NotOneHost("multicast")),
        (RouteType::Anycast, Route::NotOneHost("anycast")),
        (RouteType::BlackHole, Route::Missing),
        (RouteType::Unreachable, Route::Missing),
        (RouteType::Prohibit, Route::Missing),
        (RouteType::Throw, Route::Missing),
    ] {
        let bytes = route_message(kind, vec![RouteAttribute::Oif(1)]);
        assert_eq!(route(&bytes), Some(wanted));
    }
    // Without an interface it leads nowhere that we could name.
    assert_eq!(route(&route_message(RouteType::Unicast, vec![])), None);
    assert_eq!(route(&[0; 5]), None);
}

#[test]
fn events_of_routes_name_their_prefix() {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet6;
    let prefix = |message: &RouteMessage| event(self::message(libc::RTM_DELROUTE, &bytes(message)));
    let wanted = |text: &str| Some(Event::Route(text.parse().expect("a prefix")));
    assert_eq!(prefix(&message), wanted("::/0"));
    message.header.destination_prefix_length = 32;
    message.attributes = vec![RouteAttribute::Destination(ip("2001:db8::").into())];
    assert_eq!(prefix(&message), wanted("2001:db8::/32"));
    message.header.address_family = AddressFamily::Mpls;
    assert_eq!(prefix(&message), None);
}

#[test]
fn datagrams() {
    let header = |length: u32, kind: u16, sequence: u32| {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes
    };
    // The first one is padded to a multiple of 4, the last one says more than there is.
    let mut datagram = header(17, 100, 7);
    datagram.extend([0xaa, 0, 0, 0]);
    datagram.extend(header(16, 101, 8));
    let whole = datagram.len();
    datagram.extend(header(20, 102, 9));
    let seen = |bytes: &[u8]| -> Vec<(u16, u32, Vec<u8>)> {
        messages(bytes)
            .map(|message| (message.kind, message.sequence, message.payload.to_vec()))
            .collect()
    };
    let wanted = vec![(100, 7, vec![0xaa]), (101, 8, vec![])];
    assert_eq!(seen(&datagram), wanted);
    assert_eq!(seen(&datagram[..whole]), wanted);
    for end in 0..datagram.len() {
        let count = seen(&datagram[..end]).len();
        let complete = usize::from(end >= 17) + usize::from(end >= whole);
        assert_eq!(count, complete, "cut at {end}");
    }
    assert_eq!(seen(&header(3, 100, 1)), vec![]);
}

#[test]
fn cut_and_random_messages_do_not_panic() {
    let whole = [
        bytes(&ethernet(usual(&MAC))),
        bytes(&neighbour_message("10.0.0.9", NeighbourState::Stale)),
        route_message(RouteType::Unicast, vec![RouteAttribute::Metrics(vec![RouteMetric::Mtu(1)])]),
    ];
    for payload in &whole {
        for end in 0..payload.len() {
            for kind in 0..=110 {
                drop(event(message(kind, &payload[..end])));
            }
            let _ = route(&payload[..end]);
            let mut changed = payload.clone();
            changed[end] ^= 0xff;
            let _ = route(&changed);
            drop(link(&changed));
            let _ = neighbour(&changed);
        }
    }
}
