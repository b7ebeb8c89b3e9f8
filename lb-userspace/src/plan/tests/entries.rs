//! What the map entries of targets hold, byte for byte.

use lb_common::{Address, Be16, Family, Mac, Mode, Target, target::TargetState::Healthy};

use super::*;

const HOP: NextHop = hop(7, true);

/// A reachable target, but for its address, mode and outer source.
const REACHABLE: Target = Target {
    flags: Target::VALID | Target::RESOLVED | Target::ROUTABLE | Target::ACCEPTING,
    mtu: 1500,
    vlan: Be16::new(0),
    tunnel_port: Be16::new(0),
    address: Address::v4([0; 4]),
    destination_mac: Mac::new(HOP.destination_mac),
    source_mac: Mac::new(HOP.source_mac),
    interface: 7,
    mode: 0,
    family: 0,
    gue_variant: 0,
    reserved: 0,
    outer_checksum: 0,
    mss: 0,
    outer_source: Address::v4([0; 4]),
    group: 1,
    port: Be16::new(80),
    state: Healthy as u8,
    reserved_state: [0; 3],
    since: 1000,
    until: 0,
    reserved_tail: [0; 6],
};

fn check(mode: Mode, address: &str, next_hop: NextHopState, expected: &Target) {
    let address: IpAddr = address.parse().unwrap();
    let mut world = World::new();
    world.config.tunnel.source_ipv4 = "172.18.0.0/16".parse().unwrap();
    world.config.tunnel.source_ipv6 = "fd20::/16".parse().unwrap();
    world.next_hops.insert(address, next_hop);
    world.group("web", mode).target(address, 1, Some(Healthy));
    world.listener("203.0.113.1", "web");
    let plan = world.first_plan().unwrap();
    assert_eq!(plan.tables.targets[&1], *expected, "{mode:?} {address}");
    assert_eq!(plan.tables.devices.contains(&7), expected.is_resolved());
}

#[test]
fn entries_hold_what_packets_need() {
    let v4 = Target { address: Address::v4([10, 0, 0, 1]), family: Family::V4 as u8, ..REACHABLE };
    let v6 = Target {
        address: Address::v6([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        family: Family::V6 as u8,
        ..REACHABLE
    };
    let (ipip, l2dsr) = (Mode::Ipip as u8, Mode::L2dsr as u8);
    let resolved = || NextHopState::Resolved(HOP);
    let expected = Target {
        mode: ipip,
        outer_source: Address::v4([172, 18, 0, 0]),
        // 4500 + 4000 + 4000 + ac12 + 0a00 + 0001 = 17b13, folded 7b14.
        outer_checksum: 0x7b14,
        ..v4
    };
    check(Mode::Ipip, "10.0.0.1", resolved(), &expected);
    let expected = Target {
        mode: ipip,
        outer_source: Address::v6([0xfd, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ..v6
    };
    check(Mode::Ipip, "2001:db8::1", resolved(), &expected);
    check(Mode::L2dsr, "10.0.0.1", resolved(), &Target { mode: l2dsr, ..v4 });
    let expected = Target {
        mode: l2dsr,
        flags: Target::VALID | Target::ROUTABLE,
        since: 0,
        mtu: 0,
        destination_mac: Mac::new([0; 6]),
        source_mac: Mac::new([0; 6]),
        interface: 0,
        ..v6
    };
    let unresolved = NextHopState::Unresolved("no route".to_owned());
    check(Mode::L2dsr, "2001:db8::1", unresolved, &expected);
}
