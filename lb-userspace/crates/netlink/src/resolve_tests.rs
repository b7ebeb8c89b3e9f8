//! Cases of `resolve`: what the kernel said -> what is known.

use super::*;

const HOST: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ethernet() -> Link {
    Link {
        name: "eth0".to_owned(),
        up: true,
        running: true,
        kind: LinkKind::Ethernet(HOST),
        mtu: 1500,
        device: String::new(),
    }
}

fn neighbour(state: NeighbourState) -> Neighbour {
    Neighbour { state, mac: Some(PEER), managed: true, learned: false }
}

fn direct() -> Route {
    Route::Unicast { interface: 2, gateway: None, mtu: None }
}

fn via(gateway: &str) -> Route {
    Route::Unicast { interface: 2, gateway: Some(ip(gateway)), mtu: None }
}

fn with_mtu(mtu: u32) -> Route {
    Route::Unicast { interface: 2, gateway: None, mtu: Some(mtu) }
}

fn hop(mtu: u16, on_link: bool) -> NextHopState {
    NextHopState::Resolved(NextHop {
        interface: 2,
        vlan: 0,
        source_mac: HOST,
        destination_mac: PEER,
        mtu,
        on_link,
    })
}

fn reason(text: &str) -> NextHopState {
    NextHopState::Unresolved(text.to_owned())
}

struct Case {
    target: &'static str,
    link: Link,
    route: Option<Route>,
    neighbour: Option<(&'static str, Neighbour)>,
    refusal: Option<i32>,
}

/// A target on the link that answers.
fn good() -> Case {
    Case {
        target: "10.0.0.9",
        link: ethernet(),
        route: Some(direct()),
        neighbour: Some(("10.0.0.9", neighbour(NeighbourState::Reachable))),
        refusal: None,
    }
}

#[track_caller]
fn check(case: Case, wanted: &NextHopState) {
    let target = ip(case.target);
    let network = Network {
        links: BTreeMap::from([(2, case.link)]),
        neighbours: case
            .neighbour
            .map(|(address, neighbour)| ((2, ip(address)), neighbour))
            .into_iter()
            .collect(),
        routes: case.route.map(|route| (target, route)).into_iter().collect(),
        ..Network::default()
    };
    assert_eq!(resolve(target, &network, |_| case.refusal), *wanted);
}

#[test]
fn every_state_of_a_neighbour() {
    let why = "no answer to ARP/neighbour discovery for 10.0.0.9 on eth0";
    // The kernel has given up, or is still asking.
    let (failed, silent) = (reason(why), NextHopState::Asking(why.to_owned()));
    for (state, usable) in [
        (NeighbourState::Reachable, true),
        (NeighbourState::Stale, true),
        (NeighbourState::Delay, true),
        (NeighbourState::Probe, true),
        (NeighbourState::Permanent, true),
        (NeighbourState::Noarp, true),
        (NeighbourState::Incomplete, false),
        (NeighbourState::Failed, false),
        (NeighbourState::None, false),
        (NeighbourState::Other(0x300), false),
    ] {
        let wanted = match state {
            _ if usable => hop(1500, true),
            NeighbourState::Failed => failed.clone(),
            _ => silent.clone(),
        };
        let case = Case { neighbour: Some(("10.0.0.9", neighbour(state))), ..good() };
        check(case, &wanted);
    }
    let missing = Case { neighbour: None, ..good() };
    check(missing, &silent);
    let without_mac = Neighbour { mac: None, ..neighbour(NeighbourState::Noarp) };
    let case = Case { neighbour: Some(("10.0.0.9", without_mac)), ..good() };
    check(case, &silent);
}

#[test]
fn gateways() {
    for (target, gateway, on_link) in [
        ("10.0.0.9", "10.0.0.1", false),
        ("2001:db8::9", "fe80::1", false),
        // RFC 5549: the gateway of an IPv4 route may have an IPv6 address.
        ("10.0.0.9", "fe80::1", false),
        // A route that names the target itself as its gateway.
        ("10.0.0.9", "10.0.0.9", true),
    ] {
        let case = Case {
            target,
            route: Some(via(gateway)),
            neighbour: Some((gateway, neighbour(NeighbourState::Stale))),
            ..good()
        };
        check(case, &hop(1500, on_link));
    }
    // The target's own entry does not replace its gateway's.
    let case = Case { route: Some(via("10.0.0.1")), ..good() };
    let silent = "no answer to ARP/neighbour discovery for 10.0.0.1 on eth0, \
                  the gateway towards 10.0.0.9";
    check(case, &NextHopState::Asking(silent.to_owned()));
}

#[test]
fn mtus() {
    for (route, link, wanted) in [
        (None, 1500, 1500),
        (Some(1400), 1500, 1400),
        (Some(0), 1500, 1500),
        // An interface drops what exceeds its own.
        (Some(9000), 1500, 1500),
        (None, 9000, 9000),
        (None, 65_536, 65_535),
    ] {
        let case = Case {
            link: Link { mtu: link, ..ethernet() },
            route: Some(route.map_or_else(direct, with_mtu)),
            ..good()
        };
        check(case, &hop(wanted, true));
    }
}

#[test]
fn routes_that_lead_nowhere() {
    for (route, wanted) in [
        (Route::Missing, "no route to 10.0.0.9"),
        (Route::Local, "10.0.0.9 is an address of this host; a target must be another host"),
        (
            Route::NotOneHost("broadcast"),
            "10.0.0.9 is a broadcast address; a target must be one host",
        ),
        (
            Route::Encapsulated,
            "the route to 10.0.0.9 encapsulates packets (such as MPLS or SRv6): not supported",
        ),
        (
            Route::Failed(libc::ENOMEM),
            "the kernel cannot route 10.0.0.9: Cannot allocate memory (os error 12)",
        ),
        (
            Route::Unicast { interface: 7, gateway: None, mtu: None },
            "the interface towards 10.0.0.9 (index 7) does not exist",
        ),
    ] {
        let case = Case { route: Some(route), ..good() };
        check(case, &reason(wanted));
    }
    let case = Case { route: None, ..good() };
    check(case, &NextHopState::Asking("the route to 10.0.0.9 is not known yet".to_owned()));
}

#[test]
fn links_that_frames_cannot_leave_by() {
    let is = |change: fn(&mut Link)| {
        let mut link = ethernet();
        change(&mut link);
        link
    };
    for (link, wanted) in [
        (is(|link| link.up = false), "interface eth0 is down"),
        (is(|link| link.running = false), "interface eth0 has no carrier"),
        (
            is(|link| {
                link.name = "eth0.5".to_owned();
                link.kind = LinkKind::Vlan { parent: 99, number: 5, mac: [2; 6] };
            }),
            "the parent of VLAN interface eth0.5 does not exist",
        ),
        (
            is(|link| link.kind = LinkKind::Other),
            "interface eth0 is not Ethernet: targets must be reached over Ethernet",
        ),
        (
            is(|link| link.kind = LinkKind::Loopback),
            "10.0.0.9 is an address of this host; a target must be another host",
        ),
    ] {
        let case = Case { link, ..good() };
        check(case, &reason(wanted));
    }
}

#[test]
fn refusals_of_the_kernel() {
    for (target, errno, wanted) in [
        (
            "10.0.0.9",
            libc::ENOBUFS,
            "the kernel's neighbour table is full, without an entry for 10.0.0.9 on eth0: raise \
             sysctl net.ipv4.neigh.default.gc_thresh3",
        ),
        (
            "2001:db8::9",
            libc::ENOBUFS,
            "the kernel's neighbour table is full, without an entry for 2001:db8::9 on eth0: \
             raise sysctl net.ipv6.neigh.default.gc_thresh3",
        ),
        (
            "10.0.0.9",
            libc::EPERM,
            "the kernel refuses to resolve 10.0.0.9 on eth0: \
             Operation not permitted (os error 1)",
        ),
    ] {
        let case = Case { target, neighbour: None, refusal: Some(errno), ..good() };
        check(case, &reason(wanted));
    }
    // A neighbour that is there does not need the kernel's help.
    let case = Case { refusal: Some(libc::EPERM), ..good() };
    check(case, &hop(1500, true));
}

#[test]
fn addresses_in_a_prefix() {
    let all: BTreeSet<IpAddr> =
        ["9.255.255.255", "10.0.0.1", "10.0.255.9", "10.1.0.0", "::1"].map(ip).into();
    for (prefix, wanted) in [
        ("10.0.0.0/16", vec!["10.0.0.1", "10.0.255.9"]),
        ("0.0.0.0/0", vec!["9.255.255.255", "10.0.0.1", "10.0.255.9", "10.1.0.0"]),
        ("::/0", vec!["::1"]),
        ("10.1.0.0/32", vec!["10.1.0.0"]),
        ("192.0.2.0/24", vec![]),
    ] {
        let prefix = prefix.parse().expect("a prefix");
        let wanted: Vec<IpAddr> = wanted.into_iter().map(ip).collect();
        assert_eq!(within(&all, prefix).collect::<Vec<_>>(), wanted, "{prefix}");
    }
}

#[test]
fn frames_to_a_vlan_leave_by_its_parent_with_a_tag() {
    let vlan = |parent| Link {
        name: "eth0.5".to_owned(),
        kind: LinkKind::Vlan { parent, number: 5, mac: HOST },
        ..ethernet()
    };
    let mut network = Network::default();
    network.links.insert(2, vlan(7));
    network.links.insert(7, Link { name: "eth0".to_owned(), ..ethernet() });
    network.routes.insert(ip("10.0.0.9"), direct());
    let answers = neighbour(NeighbourState::Reachable);
    network.neighbours.insert((2, ip("10.0.0.9")), answers);
    let wanted = NextHop {
        interface: 7,
        vlan: 5,
        source_mac: HOST,
        destination_mac: PEER,
        mtu: 1500,
        on_link: true,
    };
    let resolved = |network: &Network| resolve(ip("10.0.0.9"), network, |_| None);
    assert_eq!(resolved(&network), NextHopState::Resolved(wanted));
    network.links.insert(7, vlan(8));
    let refused = "interface eth0.5 is a VLAN in a VLAN: targets must be reached with at most one \
                   tag";
    assert_eq!(resolved(&network), reason(refused));
}

/// Native XDP at eth0, the route leads to a bridge: what is redirected there would be lost.
#[test]
fn an_interface_that_cannot_redirect_is_not_a_next_hop() {
    let bridge = Link { name: "br0".to_owned(), device: "bridge".to_owned(), ..ethernet() };
    let mut network = Network { takes: Some([(2, false)].into()), ..Network::default() };
    network.links.insert(2, bridge);
    network.routes.insert(ip("10.0.0.9"), direct());
    network.neighbours.insert((2, ip("10.0.0.9")), neighbour(NeighbourState::Reachable));
    let resolved = |network: &Network| resolve(ip("10.0.0.9"), network, |_| None);
    assert_eq!(resolved(&network), hop(1500, true), "nothing is attached");
    network.ingress.native.insert(3);
    assert!(
        matches!(resolved(&network), NextHopState::Unresolved(why) if why.contains("br0 (bridge)"))
    );
    network.takes = Some([(2, true)].into());
    assert_eq!(resolved(&network), hop(1500, true), "the kernel says that it does");
    network.takes = Some([(2, false)].into());
    network.ingress = Ingress { generic: [3].into(), ..Ingress::default() };
    assert_eq!(resolved(&network), hop(1500, true), "generic mode sends by everything");
}
