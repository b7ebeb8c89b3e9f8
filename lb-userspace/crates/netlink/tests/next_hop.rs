//! The resolver against a real kernel: two hosts in network namespaces, IPv4 and IPv6.
//!
//! The interpretation of the kernel's answers is tested without a kernel, in `src/resolve.rs`.

#[path = "next_hop/lab.rs"]
mod lab;

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use lab::{Lab, address};
use lb_plan::{NextHop, NextHopState};

/// For what should be immediate; generous, because the machine may be busy.
const SOON: Duration = Duration::from_secs(1);
/// For what waits for the next request to a neighbour: one that is silent, or whose first answer was lost.
const RETRIED: Duration = Duration::from_secs(4);

#[test]
fn on_link_targets_resolve() {
    let lab = Lab::new();
    let (interface, source_mac) = lab.host_interface("v0");
    let wanted = NextHop {
        vlan: 0,
        interface,
        source_mac,
        destination_mac: lab.peer_mac("v1"),
        mtu: 1500,
        on_link: true,
    };
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2", "fd09::2"]);
        for target in ["10.9.0.2", "fd09::2"] {
            assert_eq!(observer.until_resolved(target, RETRIED).await, wanted);
        }
        // The interface's MTU and MAC are followed.
        lab.host("link set v0 mtu 1400");
        observer
            .until_all(SOON, |states| {
                states
                    .values()
                    .all(|state| matches!(state, NextHopState::Resolved(hop) if hop.mtu == 1400))
            })
            .await;
        lab.host("link set v0 address 02:00:00:00:00:09");
        observer
            .until("10.9.0.2", RETRIED, |state| {
                matches!(state, NextHopState::Resolved(hop)
                    if hop.source_mac == [2, 0, 0, 0, 0, 9])
            })
            .await;
    });
}

#[test]
fn targets_behind_gateways_resolve() {
    let lab = Lab::new();
    lab.host("route add 10.20.0.0/16 via 10.9.0.2 mtu 1450");
    lab.host("route add fd20::/64 via fd09::2");
    lab.host("route add 10.21.0.0/16 via inet6 fd09::2");
    let mac = lab.peer_mac("v1");
    lab.run(async |mut observer| {
        let cases = [("10.20.0.5", 1450), ("fd20::5", 1500), ("10.21.0.5", 1500)];
        observer.watch(&cases.map(|(target, _)| target));
        for (target, mtu) in cases {
            let hop = observer.until_resolved(target, RETRIED).await;
            assert_eq!((hop.destination_mac, hop.mtu, hop.on_link), (mac, mtu, false), "{target}");
        }
    });
}

#[test]
fn a_silent_neighbour_heals_when_it_comes_up() {
    let lab = Lab::new();
    lab.host("route add 10.20.0.0/16 via 10.9.0.4");
    lab.run(async |mut observer| {
        let silent = "no answer to ARP/neighbour discovery for";
        observer.watch(&["10.9.0.3", "fd09::3", "10.20.0.5"]);
        let reason = format!("{silent} 10.9.0.3 on v0");
        observer.until_reason("10.9.0.3", &reason, SOON).await;
        let reason = format!("{silent} fd09::3 on v0");
        observer.until_reason("fd09::3", &reason, SOON).await;
        let reason = format!("{silent} 10.9.0.4 on v0, the gateway towards 10.20.0.5");
        observer.until_reason("10.20.0.5", &reason, SOON).await;
        // Long enough for the kernel to give up (three requests, a second apart).
        tokio::time::sleep(Duration::from_millis(3500)).await;
        lab.peer("addr add 10.9.0.3/16 dev v1");
        lab.peer("addr add 10.9.0.4/16 dev v1");
        lab.peer("addr add fd09::3/64 dev v1 nodad");
        for target in ["10.9.0.3", "fd09::3", "10.20.0.5"] {
            observer.until_resolved(target, RETRIED).await;
        }
    });
}

#[test]
fn a_cable_that_is_pulled_and_plugged_is_followed() {
    let lab = Lab::new();
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2", "fd09::2"]);
        observer.until_resolved("10.9.0.2", RETRIED).await;
        observer.until_resolved("fd09::2", RETRIED).await;
        lab.peer("link set v1 down");
        for target in ["10.9.0.2", "fd09::2"] {
            // The kernel reports carriers once a second (net/core/link_watch.c).
            observer.until_reason(target, "interface v0 has no carrier", RETRIED).await;
        }
        lab.peer("link set v1 up");
        lab.peer("addr replace fd09::2/64 dev v1 nodad");
        for target in ["10.9.0.2", "fd09::2"] {
            observer.until_resolved(target, RETRIED).await;
        }
        lab.host("link set v0 down");
        // The kernel removes the routes of an interface that is down.
        observer.until_reason("10.9.0.2", "no route to 10.9.0.2", SOON).await;
    });
}

#[test]
fn a_new_mac_of_the_peer_is_followed_within_a_second() {
    let lab = Lab::new();
    // The peer announces its new address, as a machine does that takes an address over.
    lab.peer_sysctl("net.ipv4.conf.v1.arp_notify=1");
    lab.peer_sysctl("net.ipv6.conf.v1.ndisc_notify=1");
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2", "fd09::2"]);
        observer.until_resolved("10.9.0.2", RETRIED).await;
        observer.until_resolved("fd09::2", RETRIED).await;
        lab.peer("link set v1 address 02:00:00:00:00:77");
        let mac = [2, 0, 0, 0, 0, 0x77];
        let ipv4 = observer.until_mac("10.9.0.2", mac, SOON).await;
        let ipv6 = observer.until_mac("fd09::2", mac, SOON).await;
        println!("new MAC of the peer: IPv4 after {ipv4:?}, then IPv6 after {ipv6:?}");
    });
}

#[test]
fn a_new_neighbour_entry_is_sent_in_milliseconds() {
    let lab = Lab::new();
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2"]);
        observer.until_resolved("10.9.0.2", RETRIED).await;
        let mut times = Vec::new();
        for last in 1..=9 {
            lab.host(&format!(
                "neigh replace 10.9.0.2 dev v0 lladdr 02:00:00:00:01:0{last} nud reachable"
            ));
            let mac = [2, 0, 0, 0, 1, last];
            times.push(observer.until_mac("10.9.0.2", mac, SOON).await);
        }
        times.sort();
        println!("from the table to the update: {times:?}");
        let limit = Duration::from_millis(20);
        assert!(times[4] < limit, "median of {times:?} is not under {limit:?}");
    });
}

#[test]
fn route_changes_are_followed() {
    let lab = Lab::new();
    lab.cable("w0", "w1");
    lab.host("addr add 10.10.0.1/16 dev w0");
    lab.peer("addr add 10.10.0.2/16 dev w1");
    lab.host("addr add fd10::1/64 dev w0 nodad");
    lab.peer("addr add fd10::2/64 dev w1 nodad");
    // By default, peers answer ARP for any of their addresses on any interface.
    lab.peer_sysctl("net.ipv4.conf.all.arp_ignore=1");
    let (first, second) = (lab.peer_mac("v1"), lab.peer_mac("w1"));
    lab.run(async |mut observer| {
        observer.watch(&["10.20.0.5", "fd20::5"]);
        let missing = "no route to 10.20.0.5";
        observer.until_reason("10.20.0.5", missing, SOON).await;
        for (target, prefix, here, there, family) in [
            ("10.20.0.5", "10.20.0.0/16", "10.9.0.2", "10.10.0.2", "-4"),
            ("fd20::5", "fd20::/64", "fd09::2", "fd10::2", "-6"),
        ] {
            lab.host(&format!("route add {prefix} via {here}"));
            observer.until_mac(target, first, SOON).await;
            lab.host(&format!("route replace {prefix} via {there}"));
            observer.until_mac(target, second, SOON).await;
            lab.host(&format!("route del {prefix}"));
            let missing = format!("no route to {target}");
            observer.until_reason(target, &missing, SOON).await;
            lab.host(&format!("route add default via {here}"));
            observer.until_mac(target, first, SOON).await;
            // A rule can send it elsewhere without any route changing; that of the table is over.
            lab.host(&format!("route add default via {there} table 77"));
            tokio::time::sleep(Duration::from_millis(100)).await;
            lab.host(&format!("{family} rule add to {target} lookup 77"));
            observer.until_mac(target, second, SOON).await;
        }
    });
}

#[test]
fn an_interface_that_goes_down_takes_its_routes_along() {
    let lab = Lab::new();
    // With IPv6, addresses that go away would tell. IPv4 routes go without an event of theirs.
    lab.host("addr flush dev v0 scope link");
    lab.host("addr del fd09::1/64 dev v0");
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2"]);
        observer.until_resolved("10.9.0.2", RETRIED).await;
        lab.host("link set v0 down");
        let reason = "no route to 10.9.0.2";
        observer.until_reason("10.9.0.2", reason, SOON).await;
        lab.host("link set v0 up");
        observer.until_resolved("10.9.0.2", RETRIED).await;
    });
}

#[test]
fn an_interface_that_is_removed_is_followed() {
    let lab = Lab::new();
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2", "fd09::2"]);
        observer.until_resolved("10.9.0.2", RETRIED).await;
        observer.until_resolved("fd09::2", RETRIED).await;
        lab.host("link del v0");
        for target in ["10.9.0.2", "fd09::2"] {
            let reason = format!("no route to {target}");
            observer.until_reason(target, &reason, SOON).await;
        }
    });
}

#[test]
fn a_thousand_addresses_resolve_in_well_under_a_second() {
    let lab = Lab::new();
    lab.peer("route add local 10.9.128.0/24 dev lo");
    lab.host("route add 10.20.0.0/16 via 10.9.0.2");
    lab.host("route add fd20::/64 via fd09::2");
    // On the link only as many as fit the kernel's table (gc_thresh3, 1024), which all namespaces
    // share.
    let on_link = (1..=200).map(|last| IpAddr::from([10, 9, 128, last]));
    let routed = (0..400_u16).map(|n| {
        let [high, low] = n.to_be_bytes();
        IpAddr::from([10, 20, high, low])
    });
    let routed_ipv6 = (0..400).map(|n| IpAddr::from([0xfd20, 0, 0, 0, 0, 0, 1, n]));
    let addresses: BTreeSet<IpAddr> = on_link.chain(routed).chain(routed_ipv6).collect();
    assert_eq!(addresses.len(), 1000);
    lab.run(async |mut observer| {
        observer.resolver.watch(addresses);
        let took = observer
            .until_all(SOON, |states| {
                states.len() == 1000
                    && states.values().all(|state| matches!(state, NextHopState::Resolved(_)))
            })
            .await;
        println!("1,000 addresses resolved in {took:?}");
        // All of them follow one change.
        lab.host("link set v0 mtu 1300");
        let took = observer
            .until_all(SOON, |states| {
                states
                    .values()
                    .all(|state| matches!(state, NextHopState::Resolved(hop) if hop.mtu == 1300))
            })
            .await;
        println!("1,000 addresses followed a change in {took:?}");
    });
}

#[test]
fn invalid_target_addresses_are_refused_with_the_reason() {
    let lab = Lab::new();
    lab.host("route add unreachable 10.31.0.0/16");
    lab.host("route add blackhole 10.32.0.0/16");
    lab.host("route add prohibit 10.33.0.0/16");
    lab.host("route add unreachable fd31::/64");
    lab.host("route add blackhole fd32::/64");
    lab.host("route add prohibit fd33::/64");
    let own = "is an address of this host; a target must be another host";
    let one = "address; a target must be one host";
    let cases = [
        ("10.9.0.1", format!("10.9.0.1 {own}")),
        ("127.0.0.5", format!("127.0.0.5 {own}")),
        ("fd09::1", format!("fd09::1 {own}")),
        ("::1", format!("::1 {own}")),
        ("10.9.255.255", format!("10.9.255.255 is a broadcast {one}")),
        ("10.31.0.1", "no route to 10.31.0.1".to_owned()),
        ("10.32.0.1", "no route to 10.32.0.1".to_owned()),
        ("10.33.0.1", "no route to 10.33.0.1".to_owned()),
        ("fd31::1", "no route to fd31::1".to_owned()),
        ("fd32::1", "no route to fd32::1".to_owned()),
        ("fd33::1", "no route to fd33::1".to_owned()),
        ("192.0.2.1", "no route to 192.0.2.1".to_owned()),
        ("2001:db8::1", "no route to 2001:db8::1".to_owned()),
    ];
    lab.run(async |mut observer| {
        let targets: Vec<&str> = cases.iter().map(|(target, _)| *target).collect();
        observer.watch(&targets);
        for (target, reason) in &cases {
            observer.until_reason(target, reason, SOON).await;
        }
    });
}

#[path = "next_hop/neighbours.rs"]
mod neighbours;
