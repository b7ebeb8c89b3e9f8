//! Frames of probes, taken apart by another library than the one that wrote them; hostile packets.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{LinkSlice, PacketBuilder};
use lb_common::{Address, Mode, head::HeadFields};
use proptest::prelude::*;

use super::*;

const SEED: [u64; 2] = [1, 2];
const INTERFACE: u32 = 7;
const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
const TARGET_MAC: [u8; 6] = [2, 0, 0, 0, 1, 2];
const SOURCE_PORT: u16 = 40_000;

fn target(mode: Mode, address: &str) -> Target {
    let address: IpAddr = address.parse().unwrap();
    let outer_source = match address {
        IpAddr::V4(_) => Address::v4([172, 16, 0, 0]),
        IpAddr::V6(_) => Address::v6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0).octets()),
    };
    let fields = HeadFields {
        mode,
        address,
        destination_mac: TARGET_MAC.into(),
        source_mac: HOST_MAC.into(),
        vlan: Be16::default(),
        outer_source,
        gue_port: Be16::new(6080),
        gue_variant: 1,
    };
    let flags = Target::VALID | Target::RESOLVED;
    Target { flags, mtu: 1500, interface: INTERFACE, ..Target::default() }.by(&fields)
}

/// What the kernel sends into the device: a SYN of this host to the VIP.
fn syn(vip: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let builder = match vip.ip() {
        IpAddr::V4(vip) => PacketBuilder::ipv4([10, 0, 0, 2], vip.octets(), 1),
        IpAddr::V6(vip) => {
            let source = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
            PacketBuilder::ipv6(source.octets(), vip.octets(), 1)
        }
    };
    let builder = builder.tcp(SOURCE_PORT, vip.port(), 1, 65_000).syn();
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

fn vip(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The packet as the kernel made it is the end of the frame, behind an outer header of this length
/// that leads to the target.
fn check(mode: Mode, to: &str, inside: &str, overhead: usize) {
    let (to, vip) = (target(mode, to), vip(inside));
    let packet = syn(vip, &[]);
    let frame = encapsulate(&packet, vip, &to, SEED).unwrap();
    assert_eq!(frame.interface, INTERFACE);
    assert_eq!(frame.bytes.len(), 14 + overhead + packet.len());
    assert!(frame.bytes.ends_with(&packet), "{mode:?}: the packet inside is another");
    let parts = SlicedPacket::from_ethernet(&frame.bytes).unwrap();
    let Some(LinkSlice::Ethernet2(ethernet)) = parts.link else {
        panic!("{parts:?}");
    };
    assert_eq!((ethernet.destination(), ethernet.source()), (TARGET_MAC, HOST_MAC));
    if mode == Mode::L2dsr {
        return;
    }
    let outer: IpAddr = match parts.net.unwrap() {
        NetSlice::Ipv4(ip) => ip.header().destination_addr().into(),
        NetSlice::Ipv6(ip) => ip.header().destination_addr().into(),
        other @ NetSlice::Arp(_) => panic!("{other:?}"),
    };
    assert_eq!(Address::from(outer), to.address);
}

#[test]
fn every_mode_carries_the_packet_as_it_is() {
    const V4: (&str, &str) = ("10.0.0.11", "203.0.113.10:80");
    const V6: (&str, &str) = ("fd00::11", "[2001:db8::10]:80");
    check(Mode::L2dsr, V4.0, V4.1, 0);
    check(Mode::L2dsr, V6.0, V6.1, 0);
    for (mode, more) in [(Mode::Ipip, 0), (Mode::Gue, 8)] {
        check(mode, V4.0, V4.1, 20 + more);
        check(mode, V4.0, V6.1, 20 + more);
        check(mode, V6.0, V4.1, 40 + more);
        check(mode, V6.0, V6.1, 40 + more);
    }
}

/// The path does not depend on the target's state: an unhealthy one is probed like any other.
#[test]
fn packets_that_cannot_be_sent_are_refused_with_the_reason() {
    let http = vip("203.0.113.10:80");
    let good = target(Mode::Ipip, "10.0.0.11");
    let unresolved = Target { flags: Target::VALID, ..good };
    let narrow = Target { room: 980, ..good };
    let nat = target(Mode::Nat, "10.0.0.11");
    let packet = syn(http, &[0; 1000]);
    let cases = [
        (good, http, None),
        (unresolved, http, Some(Refusal::Drop(DropReason::NextHopUnresolved))),
        (narrow, http, Some(Refusal::Drop(DropReason::PacketTooBig))),
        (nat, http, Some(Refusal::Drop(DropReason::ModeUnknown))),
        (good, vip("203.0.113.10:81"), Some(Refusal::NotOurs)),
        (good, vip("203.0.113.11:80"), Some(Refusal::NotOurs)),
        (good, vip("[2001:db8::10]:80"), Some(Refusal::NotOurs)),
    ];
    for (target, vip, refusal) in cases {
        assert_eq!(encapsulate(&packet, vip, &target, SEED).err(), refusal, "{vip}");
    }
}

#[test]
fn the_source_identifies_the_probe() {
    for (to, source) in [("203.0.113.10:80", "10.0.0.2"), ("[2001:db8::10]:80", "fd00::2")] {
        let source = SocketAddr::new(source.parse().unwrap(), SOURCE_PORT);
        assert_eq!(source_of(&syn(vip(to), &[])), Some(source));
    }
    let ping = PacketBuilder::ipv4([10, 0, 0, 2], Ipv4Addr::LOCALHOST.octets(), 1);
    let mut packet = Vec::new();
    ping.icmpv4_echo_request(1, 1).write(&mut packet, &[]).unwrap();
    assert_eq!(source_of(&packet), None);
    assert_eq!(source_of(&[]), None);
}

/// Changes bytes of a good packet, and cuts it off or makes it longer.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let places = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (any::<bool>(), places, 0_usize..200).prop_map(|(v4, places, length)| {
        let to = if v4 { "203.0.113.10:80" } else { "[2001:db8::10]:80" };
        let mut packet = syn(vip(to), &[]);
        for (place, value) in places {
            let place = place.index(packet.len());
            packet[place] = value;
        }
        packet.resize(length, 0);
        packet
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// AnyCertificate on the host may send into the device. Nothing panics, and what does go out is to
    /// the target, out of its interface, with the packet as the sender made it inside.
    #[test]
    fn hostile_packets_go_nowhere_else(
        packet in prop_oneof![damaged(), prop::collection::vec(any::<u8>(), 0..300)],
        v6 in any::<bool>(),
    ) {
        let target = target(Mode::Ipip, "10.0.0.11");
        let vip = vip(if v6 { "[2001:db8::10]:80" } else { "203.0.113.10:80" });
        let _whose = source_of(&packet);
        if let Ok(frame) = encapsulate(&packet, vip, &target, SEED) {
            prop_assert_eq!(frame.interface, INTERFACE);
            prop_assert!(frame.bytes.ends_with(&packet));
            prop_assert_eq!(&frame.bytes[..6], &TARGET_MAC);
            prop_assert_eq!(&frame.bytes[30..34], &[10, 0, 0, 11]);
        }
    }
}
