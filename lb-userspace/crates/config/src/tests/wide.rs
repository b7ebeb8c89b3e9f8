//! Listeners on prefixes and on several ports.

use std::fmt::Write as _;

use super::{
    super::{Config, Ports},
    SMALL, config, errors, parse, with,
};

const HEAD: &str = "interfaces: [eth0]
target_groups:
  - { name: web, protocol: tcp, port: 80, forwarding: nat, targets: [{ address: 10.0.1.11 }] }
  - { name: web6, protocol: tcp, port: 80, forwarding: nat, targets: [{ address: \"fd00:1::11\" }] }
  - name: dns
    protocol: udp
    port: 53
    forwarding: nat
    targets: [{ address: 10.0.1.53 }]
    health_check: { protocol: tcp }
listeners:
";

/// Listeners `a`, `b` and so on, each of `ADDRESS PORT [udp]`; the first is in line 12.
fn listeners(all: &[&str]) -> String {
    all.iter().zip('a'..='z').fold(HEAD.to_owned(), |mut text, (one, name)| {
        let mut words = one.split(' ');
        let (address, port) = (words.next().unwrap(), words.next().unwrap());
        let protocol = words.next().unwrap_or("tcp");
        let group = match protocol {
            "tcp" if address.contains(':') => "web6",
            "tcp" => "web",
            _ => "dns",
        };
        writeln!(
            text,
            "  - {{ name: {name}, address: \"{address}\", port: {port}, protocol: {protocol}, \
             default_action: {{ forward: {{ target_group: {group} }} }} }}"
        )
        .unwrap();
        text
    })
}

fn good(all: &[&str]) -> Config {
    config(&listeners(all))
}

#[test]
fn forms_of_addresses_and_ports() {
    let config = good(&[
        "203.0.113.10 80",
        "203.0.113.11/32 \"81\"",
        "203.0.113.12 8000-8099",
        "203.0.113.16/28 \"7-9\"",
        "2001:db8::1/128 all",
        "2001:db8:1::/64 1-65535",
        "203.0.113.13 90-90",
    ]);
    let shown: Vec<String> = config
        .listeners
        .iter()
        .map(|one| {
            let exact = one.exact().map(|vip| format!(" {vip}")).unwrap_or_default();
            format!("{} {}{exact}", one.shown_address(), one.ports)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "203.0.113.10 80 203.0.113.10:80",
            "203.0.113.11 81 203.0.113.11:81",
            "203.0.113.12 8000-8099",
            "203.0.113.16/28 7-9",
            "2001:db8::1 all",
            "2001:db8:1::/64 all",
            "203.0.113.13 90 203.0.113.13:90",
        ]
    );
}

#[test]
fn ranges_of_ports() {
    let some = Ports { first: 8000, last: 8099 };
    for (port, contained) in [(7999, false), (8000, true), (8099, true), (8100, false)] {
        assert_eq!(some.contains(port), contained, "{port}");
        assert_eq!(some.overlaps(Ports::one(port)), contained, "{port}");
        assert_eq!(Ports::one(port).overlaps(some), contained, "{port}");
    }
    assert!(Ports::ALL.overlaps(some) && some.overlaps(Ports::ALL));
    assert_eq!((some.single(), Ports::one(7).single()), (None, Some(7)));
}

/// What is wrong with one address, or with one port.
#[test]
fn wrong_addresses_and_ports() {
    for (address, expected) in [
        ("203.0.113.5/28", "203.0.113.5/28 has host bits; the prefix is 203.0.113.0/28"),
        ("2001:db8::1/64", "2001:db8::1/64 has host bits; the prefix is 2001:db8::/64"),
        (
            "203.0.113.0/33",
            "`203.0.113.0/33` is not an IPv4 or IPv6 address such as 203.0.113.10, or a prefix such as 203.0.113.0/28",
        ),
        (
            "010.0.0.0/8",
            "`010.0.0.0/8` is not an IPv4 or IPv6 address such as 203.0.113.10, or a prefix such as 203.0.113.0/28",
        ),
        (
            "vip",
            "`vip` is not an IPv4 or IPv6 address such as 203.0.113.10, or a prefix such as 203.0.113.0/28",
        ),
        ("0.0.0.0/0", "0.0.0.0/0 contains the unspecified address"),
        ("64.0.0.0/2", "64.0.0.0/2 contains loopback addresses"),
        ("127.1.0.0/16", "127.1.0.0/16 contains loopback addresses"),
        ("224.0.0.0/8", "224.0.0.0/8 contains multicast addresses"),
        ("255.255.255.0/24", "255.255.255.0/24 contains the broadcast address"),
        ("::/0", "::/0 contains the unspecified or the loopback address"),
        ("::ffff:0:0/112", "::ffff:0.0.0.0/112 contains IPv4-mapped addresses"),
        ("fe80::/64", "fe80::/64 contains link-local addresses"),
        ("ff00::/16", "ff00::/16 contains multicast addresses"),
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
    ] {
        let messages = errors(&with(SMALL, "203.0.113.10", &format!("\"{address}\"")));
        assert_eq!(messages, format!("xelb.yaml:11:14: listeners[0].address: {expected}"));
    }
    let wanted = "is not a port, a range such as 8000-8099 or `all`";
    for (port, expected) in [
        ("0", "0 is not a port from 1 to 65535, such as 80".to_owned()),
        ("any", format!("`any` {wanted}, from 1 to 65535")),
        ("0-80", format!("`0-80` {wanted}, from 1 to 65535")),
        ("80-", format!("`80-` {wanted}, from 1 to 65535")),
        ("80-90-100", format!("`80-90-100` {wanted}, from 1 to 65535")),
        ("8000-+9000", format!("`8000-+9000` {wanted}, from 1 to 65535")),
        ("80-65536", format!("`80-65536` {wanted}, from 1 to 65535")),
        ("[80, 90]", format!("must be {}, not a list", &wanted["is not ".len()..])),
        ("90-80", "`90-80` ends before it begins; write 80-90".to_owned()),
    ] {
        let text = with(
            SMALL,
            "port: 80\n    protocol: tcp\n    default",
            "port: PORT\n    protocol: tcp\n    default",
        );
        let messages = errors(&text.replace("PORT", port));
        assert_eq!(messages, format!("xelb.yaml:12:11: listeners[0].port: {expected}"));
    }
}

/// A packet has one best listener.
#[test]
fn wide_listeners_without_overlap_are_accepted() {
    for pair in [
        // An exact listener together with any other.
        ["203.0.113.3 80", "203.0.113.3 1-100"],
        ["203.0.113.3 all", "203.0.113.3 80"],
        ["203.0.113.0/28 80", "203.0.113.3 80"],
        // One address inside of a prefix.
        ["203.0.113.0/28 all", "203.0.113.3 1-100"],
        ["2001:db8::3 all", "2001:db8::/64 all"],
        // Other ports, another protocol, another prefix, another family.
        ["203.0.113.3 1-99", "203.0.113.3 100-199"],
        ["203.0.113.0/28 all", "203.0.113.0/28 all udp"],
        ["203.0.113.0/28 all", "203.0.113.16/28 all"],
        ["203.0.113.0/28 80", "203.0.113.0/24 81"],
    ] {
        good(&pair);
    }
}

#[test]
fn overlapping_wide_listeners_are_refused() {
    for (pair, expected) in [
        (
            ["203.0.113.3 1-100", "203.0.113.3 100-199"],
            "tcp 203.0.113.3 ports 100-199 of listener b overlaps tcp 203.0.113.3 ports 1-100 of listener a",
        ),
        (
            ["203.0.113.3 all", "203.0.113.3 1-100"],
            "tcp 203.0.113.3 ports 1-100 of listener b overlaps tcp 203.0.113.3 all ports of listener a",
        ),
        (
            ["203.0.113.0/28 80", "203.0.113.0/28 1-100"],
            "tcp 203.0.113.0/28 ports 1-100 of listener b overlaps tcp 203.0.113.0/28 port 80 of listener a",
        ),
        (
            ["203.0.113.0/28 80", "203.0.113.0/24 80"],
            "tcp 203.0.113.0/24 port 80 of listener b overlaps tcp 203.0.113.0/28 port 80 of listener a",
        ),
        (
            ["2001:db8::/32 all", "2001:db8:1::/64 53-54"],
            "tcp 2001:db8:1::/64 ports 53-54 of listener b overlaps tcp 2001:db8::/32 all ports of listener a",
        ),
    ] {
        assert_eq!(
            errors(&listeners(&pair)),
            format!(
                "xelb.yaml:13:5: listeners[1]: {expected}; keep their addresses or ports apart"
            )
        );
    }
}

/// Once, not also as an overlap.
#[test]
fn doubles() {
    for (one, shown) in [
        ("203.0.113.3 80", "tcp 203.0.113.3:80"),
        ("203.0.113.3/32 1-9", "tcp 203.0.113.3 ports 1-9"),
        ("2001:db8::/64 all", "tcp 2001:db8::/64 all ports"),
        ("203.0.113.0/28 80", "tcp 203.0.113.0/28 port 80"),
    ] {
        assert_eq!(
            errors(&listeners(&[one, one])),
            format!("xelb.yaml:13:5: listeners[1]: {shown} of listener b is taken already")
        );
    }
}

/// Packets to such a target would come back.
#[test]
fn a_target_inside_a_prefix() {
    let text = listeners(&["10.0.1.0/24 80", "10.0.1.11 8000-8099"]);
    assert_eq!(
        errors(&text),
        "xelb.yaml:3:70: target_groups[0].targets[0]: 10.0.1.11 is the address of a listener, not of a server\n\
         xelb.yaml:9:15: target_groups[2].targets[0]: 10.0.1.53 is in 10.0.1.0/24 of listener a: packets to it would come back to this host"
    );
    good(&["10.0.0.0/24 80", "10.0.1.12 all"]);
}

/// Sixteen may cover an address: prefixes and ranges, of both protocols.
#[test]
fn too_many_ranges_over_one_address_are_refused() {
    let ranges: Vec<String> =
        (1..=8).map(|part| format!("203.0.113.3 {part}000-{part}099")).collect();
    let prefixes: Vec<String> = (21..=28)
        .map(|length| {
            format!("203.0.{}.0/{length} {length} udp", if length < 24 { 112 } else { 113 })
        })
        .collect();
    let mut all: Vec<&str> = ranges.iter().chain(&prefixes).map(String::as_str).collect();
    all.push("203.0.113.3 80");
    good(&all);
    all.insert(0, "203.0.113.0/29 1-9");
    assert_eq!(
        errors(&listeners(&all)),
        "xelb.yaml:28:5: listeners[16]: 203.0.113.3 is covered by 17 listeners with a prefix or several ports, and 16 may cover an address; merge some"
    );
}

#[test]
fn how_many_fit() {
    let text = |count: usize| {
        (0..count).fold(HEAD.to_owned(), |mut text, number| {
            let (high, low) = (number / 256, number % 256);
            writeln!(
                text,
                "  - {{ name: l{number}, address: 198.18.{high}.{low}, port: all, protocol: tcp, \
                 default_action: {{ forward: {{ target_group: web }} }} }}"
            )
            .unwrap();
            text
        })
    };
    parse(&text(1024), "").unwrap();
    assert_eq!(
        errors(&text(1025)),
        "xelb.yaml:11:1: listeners: 1025 listeners with a prefix or several ports are more than \
         the 1024 that this version supports"
    );
}
