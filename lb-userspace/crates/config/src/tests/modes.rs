//! The forwarding modes and their keys: valid configurations, and wrong ones with their exact
//! messages.

use std::{net::SocketAddr, time::Duration};

use lb_common::target::Mode;

use super::{
    super::{Gue, Icmp, Listener, Ports, SourceNat},
    MODES, SMALL, check_changes, config, errors, with,
};

#[test]
fn every_key_has_its_meaning() {
    let config = config(MODES);
    let source = SourceNat {
        addresses: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
        first_port: 2000,
        last_port: 60_000,
    };
    assert_eq!(config.source_nat, Some(source));
    assert_eq!(config.icmp, Icmp { echo_reply: false, rate: 50 });
    let groups: Vec<_> = config
        .target_groups
        .iter()
        .map(|group| (group.forwarding, group.gue, group.tcp_mss))
        .collect();
    let gue = Gue { port: 6080, variant: 1 };
    assert_eq!(
        groups,
        [
            (Mode::Gue, Gue { port: 5555, variant: 0 }, Some(1400)),
            (Mode::Nat, gue, None),
            (Mode::Fullnat, gue, None)
        ]
    );
    let listeners: Vec<_> = config
        .listeners
        .iter()
        .map(|one| (one.address.to_string(), one.ports, one.exact(), one.idle_timeout.as_secs()))
        .collect();
    let range = Ports { first: 5000, last: 5999 };
    let exact: SocketAddr = "203.0.113.3:80".parse().unwrap();
    assert_eq!(
        listeners,
        [
            ("203.0.113.0/28".to_owned(), Ports { first: 1, last: 65_535 }, None, 350),
            ("198.51.100.1/32".to_owned(), range, None, 30),
            ("203.0.113.3/32".to_owned(), Ports::one(80), Some(exact), 6000),
        ]
    );
}

#[test]
fn defaults() {
    let text = with(SMALL, "forwarding: ipip", "forwarding: gue");
    let config = config(&format!(
        "source_nat: {{ addresses: [10.0.0.2] }}\nicmp: {{ rate: 1000000 }}\n{text}"
    ));
    let source = config.source_nat.unwrap();
    assert_eq!((source.first_port, source.last_port), (1024, 65_535));
    assert_eq!(config.icmp, Icmp { echo_reply: true, rate: 1_000_000 });
    assert_eq!(config.target_groups[0].gue, Gue { port: 6080, variant: 1 });
}

/// What silence means depends on the protocol.
#[test]
fn idle_timeouts() {
    let udp = SMALL
        .replace("protocol: tcp", "protocol: udp")
        .replace("    targets:", "    health_check: { protocol: tcp, port: 53 }\n    targets:");
    let timeout = |text: &str, attributes: &str| {
        let Listener { idle_timeout, .. } =
            *config(&format!("{text}    {attributes}\n")).listeners.remove(0);
        idle_timeout
    };
    assert_eq!(timeout(SMALL, ""), Duration::from_secs(350));
    assert_eq!(timeout(&udp, ""), Duration::from_mins(2));
    assert_eq!(timeout(&udp, "attributes: { idle_timeout: 10s }"), Duration::from_secs(10));
    assert_eq!(timeout(SMALL, "attributes: { idle_timeout: 1m }"), Duration::from_mins(1));
    let messages = |text: &str, value: &str| {
        errors(&format!("{text}    attributes: {{ idle_timeout: {value} }}\n"))
    };
    let at = |line: usize| format!("xelb.yaml:{line}:33: listeners[0].attributes.idle_timeout:");
    for (text, line, value, expected) in [
        (
            SMALL,
            15,
            "59s",
            "`59s` is not a duration of whole seconds from 60s to 6000s, such as `90s` or `2m`",
        ),
        (
            SMALL,
            15,
            "2h",
            "`2h` is not a duration of whole seconds from 60s to 6000s, such as `90s` or `2m`",
        ),
        (
            SMALL,
            15,
            "350",
            "350 is not a duration of whole seconds from 60s to 6000s, such as `90s` or `2m`; did you mean `350s`?",
        ),
        (
            SMALL,
            15,
            "90500ms",
            "`90500ms` is not a duration of whole seconds from 60s to 6000s, such as `90s` or `2m`",
        ),
        (
            &udp,
            16,
            "9s",
            "`9s` is not a duration of whole seconds from 10s to 6000s, such as `90s` or `2m`",
        ),
    ] {
        assert_eq!(messages(text, value), format!("{} {expected}", at(line)));
    }
    assert_eq!(
        errors(&format!("{SMALL}    attributes: {{ idletimeout: 60s }}\n")),
        "xelb.yaml:15:19: listeners[0].attributes.idletimeout: unknown key; did you mean `idle_timeout`?"
    );
}

/// IP in IP and GUE carry any family, also on a prefix; a target's port is one of the listener's.
#[test]
fn tunnels_cross_families() {
    for mode in ["ipip", "gue"] {
        let text = with(SMALL, "forwarding: ipip", &format!("forwarding: {mode}"));
        let text = with(&text, "- address: 10.0.1.11", "- { address: \"fd00::11\", port: 79 }");
        let text = with(&text, "    port: 80\n    protocol", "    port: 79-80\n    protocol");
        config(&with(&text, "203.0.113.10", "203.0.113.0/24"));
    }
}

/// The example of all modes with one piece changed, and what is said then.
const CHANGED: &[(&str, &str, &str)] = &[
    (
        "forwarding: gue",
        "forwarding: ipip",
        "~:10:29: target_groups[0].attributes.gue_port: belongs to `forwarding: gue`; this group is ipip\n\
             ~:10:48: target_groups[0].attributes.gue_variant: belongs to `forwarding: gue`; this group is ipip",
    ),
    (
        "gue_port: 5555",
        "gue_port: 0",
        "~:10:29: target_groups[0].attributes.gue_port: 0 is not a port from 1 to 65535, such as 80",
    ),
    (
        "gue_variant: 0",
        "gue_variant: 2",
        "~:10:48: target_groups[0].attributes.gue_variant: 2 is not a whole number from 0 to 1",
    ),
    (
        "gue_variant: 0",
        "gue_varient: 0",
        "~:10:35: target_groups[0].attributes.gue_varient: unknown key; did you mean `gue_variant`?",
    ),
    (
        "tcp_mss: 1400",
        "tcp_mss: 535",
        "~:10:60: target_groups[0].attributes.tcp_mss: 535 is not a whole number from 536 to 8960",
    ),
    (
        "tcp_mss: 1400",
        "tcp_mss: 8961",
        "~:10:60: target_groups[0].attributes.tcp_mss: 8961 is not a whole number from 536 to 8960",
    ),
    (
        "health_check: { protocol: tcp }",
        "health_check: { protocol: tcp }\n    attributes: { tcp_mss: 1400 }",
        "~:17:28: target_groups[1].attributes.tcp_mss: belongs to `protocol: tcp`; this group is udp",
    ),
    (
        "forwarding: nat",
        "forwarding: gue",
        "~:13:11: target_groups[1].port: port 8053 is not among ports 5000-5999 of listener range: forwarding gue cannot translate ports; nat and fullnat can",
    ),
    (
        "forwarding: fullnat",
        "forwarding: l2dsr",
        "~:19:11: target_groups[2].port: port 8080 is not port 80 of listener inside: forwarding l2dsr cannot translate ports; nat and fullnat can\n\
             ~:21:15: target_groups[2].targets[0]: port 81 is not port 80 of listener inside: forwarding l2dsr cannot translate ports; nat and fullnat can",
    ),
    (
        "10.0.1.12",
        "\"fd00:1::12\"",
        "~:15:15: target_groups[1].targets[0]: fd00:1::12 is of another family than 198.51.100.1 of listener range: nat does not translate between families; ipip and gue carry both",
    ),
    (
        "address: 192.0.2.1, port: 81",
        "address: \"fd00:1::12\"",
        "~:21:15: target_groups[2].targets[0]: fd00:1::12 is of another family than 203.0.113.3 of listener inside: fullnat does not translate between families; ipip and gue carry both",
    ),
    (
        "forwarding: gue",
        "forwarding: gre",
        "~:8:17: target_groups[0].forwarding: `gre` is not a forwarding mode: ipip, gue, l2dsr, nat or fullnat",
    ),
    ("echo_reply: false", "echo_reply: no", "~:3:21: icmp.echo_reply: `no` is not true or false"),
    ("rate: 50", "rate: 0", "~:3:34: icmp.rate: 0 is not a whole number from 1 to 1000000"),
    (
        "rate: 50",
        "rate: 1000001",
        "~:3:34: icmp.rate: 1000001 is not a whole number from 1 to 1000000",
    ),
    ("rate: 50", "limit: 50", "~:3:28: icmp.limit: unknown key; known are `echo_reply`, `rate`"),
    (
        "icmp: {",
        "imcp: {",
        "~:3:1: imcp: unknown key; known are `hash_seed`, `hash_seed_file`, `tunnel`, `source_nat`, `icmp`, `resolver`, `interfaces`, `defaults`, `target_groups`, `listeners`, `on_event`",
    ),
];

#[test]
fn each_change_of_the_modes() {
    check_changes(MODES, CHANGED);
}
