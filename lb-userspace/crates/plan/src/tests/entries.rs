//! What the map entries of targets hold, byte for byte.

use lb_common::{Address, Be16, Mac, Mode, Target, head::HeadFields, target::TargetState::Healthy};

use super::*;

const HOP: NextHop = hop(7, true);

/// A reachable target, except for fields of its next hop.
fn reachable() -> Target {
    Target {
        flags: Target::VALID | Target::RESOLVED | Target::ROUTABLE | Target::ACCEPTING,
        mtu: 1500,
        interface: 7,
        group: 1,
        port: Be16::new(80),
        state: Healthy as u8,
        since: 1000,
        ..Target::default()
    }
}

/// Its next hop.
fn fields(mode: Mode, address: &str) -> HeadFields {
    let v4 = Address::v4([172, 18, 0, 0]);
    let v6 = Address::v6([0xfd, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let address: IpAddr = address.parse().unwrap();
    HeadFields {
        mode,
        address,
        destination_mac: Mac::new(HOP.destination_mac),
        source_mac: Mac::new(HOP.source_mac),
        vlan: Be16::new(0),
        outer_source: if address.is_ipv4() { v4 } else { v6 },
        gue_port: Be16::new(6080),
        gue_variant: 1,
    }
}

fn check(mode: Mode, address: &str, next_hop: NextHopState, expected: &Target) {
    let address: IpAddr = address.parse().unwrap();
    let mut world = World::new();
    world.config.tunnel.source_ipv4 = "172.18.0.0/16".parse().unwrap();
    world.config.tunnel.source_ipv6 = "fd20::/16".parse().unwrap();
    Arc::make_mut(&mut world.next_hops).insert(address, next_hop);
    world.group("web", mode).target(address, 1, Some(Healthy));
    world.listener("203.0.113.1", "web");
    let plan = world.first_plan().unwrap();
    assert_eq!(plan.tables.targets[&1], *expected, "{mode:?} {address}");
    assert_eq!(plan.tables.devices.contains(&7), expected.is_resolved());
}

#[test]
fn target_entries_have_the_exact_bytes() {
    let resolved = || NextHopState::Resolved(HOP);
    for mode in [Mode::Ipip, Mode::Gue, Mode::L2dsr] {
        for address in ["10.0.0.1", "2001:db8::1"] {
            check(mode, address, resolved(), &reachable().by(&fields(mode, address)));
        }
    }
    let nowhere = HeadFields {
        destination_mac: Mac::default(),
        source_mac: Mac::default(),
        ..fields(Mode::L2dsr, "2001:db8::1")
    };
    let expected = Target {
        flags: Target::VALID | Target::ROUTABLE,
        since: 0,
        mtu: 0,
        interface: 0,
        ..reachable()
    };
    let unresolved = NextHopState::Unresolved("no route".to_owned());
    check(Mode::L2dsr, "2001:db8::1", unresolved, &expected.by(&nowhere));
}
