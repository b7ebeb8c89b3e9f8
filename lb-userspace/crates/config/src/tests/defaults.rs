//! `defaults`: what groups take from it, what they keep, and what cannot be a default.

use std::time::Duration;

use super::{config, errors_by_line as errors_of, without_via};
use crate::{Checker, Config, Document, HealthProtocol, Via, parse};

const GROUPS: &str = "
target_groups:
  - { name: web, protocol: tcp, port: 80, targets: [{ address: 10.0.1.11 }, { address: 10.0.1.12, weight: 5 }] }
  - name: own
    protocol: tcp
    port: 81
    forwarding: nat
    targets: [{ address: 10.0.1.13 }]
    health_check: { protocol: icmp, interval: 9s }
    attributes: { slow_start: 0s }
  - name: dns
    protocol: udp
    port: 53
    targets: [{ address: 10.0.1.14 }]
    health_check: { protocol: tcp }
  - { name: api, protocol: http, port: 8080, targets: [{ address: 10.0.1.15 }] }
  - { name: mail, protocol: tcp, port: 143, forwarding: null, targets: [{ address: 10.0.1.16 }] }
";

const DEFAULTS: &str = "defaults:
  forwarding: ipip
  weight: 1
  health_check:
    protocol: http
    path: /healthz
    port: 8000
    via: tunnel
    interval: 3s
    timeout: 700ms
  attributes:
    deregistration_delay: 60s
    slow_start: 30s
    minimum_healthy_targets: { count: 2 }
    tcp_mss: 1400
    algorithm: least_outstanding_requests
";

fn text(defaults: &str) -> String {
    format!("interfaces: [eth0]\n{defaults}{GROUPS}")
}

#[test]
fn groups_take_what_they_do_not_say() {
    let config = config(&text(DEFAULTS));
    let [web, own, dns] = config.target_groups.as_slice() else { panic!() };
    let seconds = Duration::from_secs;
    assert_eq!(web.forwarding.name(), "ipip");
    let of_proxy: Vec<&str> = config.http_target_groups.iter().map(|one| &*one.name).collect();
    assert_eq!(of_proxy, ["api", "mail"]);
    let weights: Vec<u32> = web.targets.iter().map(|target| target.weight).collect();
    assert_eq!(weights, [1, 5]);
    assert!(
        matches!(&web.health_check.protocol, HealthProtocol::Http(http) if http.path == "/healthz")
    );
    let check = &web.health_check;
    assert_eq!((check.port, check.via), (Some(8000), Via::Tunnel));
    assert_eq!((check.interval, check.timeout), (seconds(3), Duration::from_millis(700)));
    assert_eq!((web.life.deregistration_delay, web.life.slow_start), (seconds(60), seconds(30)));
    assert_eq!((web.life.minimum_healthy.count, web.tcp_mss), (2, Some(1400)));

    // Its own keys come first, and what does not fit a check of icmp or mode nat is left out.
    assert_eq!((own.forwarding.name(), own.health_check.interval), ("nat", seconds(9)));
    assert_eq!(own.health_check.protocol, HealthProtocol::Icmp);
    assert_eq!((own.health_check.port, own.health_check.via), (None, Via::Address));
    assert_eq!((own.life.slow_start, own.life.deregistration_delay), (seconds(0), seconds(60)));

    // A check of another protocol takes no path, a group of udp no maximum segment size.
    assert_eq!((&dns.health_check.protocol, dns.tcp_mss), (&HealthProtocol::Tcp, None));
    assert_eq!((dns.health_check.port, dns.health_check.via), (Some(8000), Via::Tunnel));

    // The proxy checks what it serves.
    let [api, _mail] = config.http_target_groups.as_slice() else { panic!() };
    assert!(matches!(&api.health_check.protocol, HealthProtocol::Http(http) if http.path == "/"));
    assert_eq!((api.health_check.interval, api.health_check.port), (seconds(3), Some(8000)));
    assert_eq!((api.targets[0].weight, api.deregistration_delay), (1, seconds(60)));
    assert_eq!(format!("{:?}", api.algorithm), "LeastOutstandingRequests");
}

#[test]
fn forms_of_one_value_do_not_meet() {
    let defaults =
        "defaults: { forwarding: ipip, health_check: { protocol: udp, payload: a, expect: b } }\n";
    let own = GROUPS
        .replace("health_check: { protocol: tcp }", "health_check: { payload_hex: ff, port: 9 }");
    let config = config(&format!("interfaces: [eth0]\n{defaults}{own}"));
    let HealthProtocol::Udp(check) = &config.target_groups[2].health_check.protocol else {
        panic!()
    };
    assert_eq!((check.payload.as_slice(), check.expect.as_deref()), (&[0xff][..], Some(&b"b"[..])));
}

#[test]
fn what_cannot_be_a_default_is_said() {
    let own = "cannot be a default: each target group has its own";
    let attribute = "cannot be a default: set it in the `attributes` of target groups";
    let cases: &[(&str, &str)] = &[
        ("port: 80", &format!("x:2: defaults.port: {own}")),
        ("targets: []", &format!("x:2: defaults.targets: {own}")),
        (
            "attributes: { stickiness: none }",
            &format!("x:2: defaults.attributes.stickiness: {attribute}"),
        ),
        ("wieght: 1", "x:2: defaults.wieght: unknown key; did you mean `weight`?"),
        ("weight: 2000", "x:2: defaults.weight: 2000 is not a whole number from 0 to 1000"),
        (
            "forwarding: ip",
            "x:2: defaults.forwarding: `ip` is not a forwarding mode: ipip, gue, l2dsr, nat or fullnat",
        ),
        (
            "health_check: { path: /x, intervall: 3s }",
            "x:2: defaults.health_check.path: belongs to checks of `http` or `https`; this one is tcp\n\
             x:2: defaults.health_check.intervall: unknown key; did you mean `interval`?",
        ),
        (
            "health_check: { interval: 1s, timeout: 2s }",
            "x:2: defaults.health_check.timeout: 2s is longer than the interval, 1s",
        ),
        (
            "attributes: { tcp_mss: 9 }",
            "x:2: defaults.attributes.tcp_mss: 9 is not a whole number from 536 to 8960",
        ),
        (
            "attributes: { minimum_healthy_targets: { count: 0 } }",
            "x:2: defaults.attributes.minimum_healthy_targets.count: 0 is not a whole number from 1 to 16383",
        ),
        (
            "attributes: { max_connection: 9 }",
            "x:2: defaults.attributes.max_connection: unknown key; did you mean `max_connections`?",
        ),
        ("attributes: [x]", "x:2: defaults.attributes: must be a section with keys, not a list"),
    ];
    for (defaults, said) in cases {
        assert_eq!(errors_of(&text(&format!("defaults: {{ {defaults} }}\n"))), *said);
    }
    // A contradiction with a group names the group, and the line of the default.
    let own_interval = GROUPS.replace("interval: 9s", "interval: 500ms");
    let said = errors_of(&format!("interfaces: [eth0]\n{DEFAULTS}{own_interval}"));
    assert_eq!(
        said,
        "x:11: target_groups[1].health_check.timeout: 700ms is longer than the interval, 500ms"
    );
    // Groups of udp say themselves what is checked, and groups without a mode still need one.
    let said = errors_of(&text("defaults: { weight: 1 }\n"));
    assert!(said.contains("target_groups[2]: `forwarding` is missing"), "{said}");
    let udp = GROUPS.replace("    health_check: { protocol: tcp }\n", "");
    let said = errors_of(&format!("interfaces: [eth0]\n{DEFAULTS}{udp}"));
    assert!(said.contains("target_groups[2]: a udp group needs a `health_check`"), "{said}");
}

/// Groups that are the same are read again when the defaults are not.
#[test]
fn other_defaults_change_groups_that_are_the_same() {
    let document = |text: &str| -> Document { parse(text, "x").unwrap().0 };
    let (mut first, second) =
        (document(&text(DEFAULTS)), document(&text(&DEFAULTS.replace("weight: 1", "weight: 7"))));
    let mut checker = Checker::default();
    let before = checker.check(&first).unwrap().0;
    // The same nodes, with other defaults.
    first.0.set("defaults", second.0.get("defaults").unwrap().clone());
    let after = checker.check(&first).unwrap().0;
    let weight = |config: &Config| config.target_groups[0].targets[0].weight;
    assert_eq!((weight(&before), weight(&after)), (1, 7));
}

/// What the proxy is given has the defaults of what it serves.
#[test]
fn the_proxy_gets_the_defaults() {
    let listeners = "listeners:
  - { name: api, address: 203.0.113.10, port: 80, protocol: http, default_action: { forward: { target_group: api } } }
";
    let (document, whole, warnings) =
        parse(&format!("{}{listeners}", text(DEFAULTS)), "x").unwrap();
    let part = document.for_proxy(&whole).unwrap();
    let written = serde_json::to_string(&part).unwrap();
    assert!(!written.contains("healthz"), "{written}");
    let of_proxy = crate::validate(&part).unwrap().0;
    let group = |config: &Config| {
        let group = &config.http_target_groups[0];
        (group.targets.clone(), group.deregistration_delay, group.algorithm)
    };
    assert_eq!(group(&of_proxy), group(&whole));
    assert!(without_via(&warnings).iter().all(|text| !text.contains("weight")), "{warnings:?}");
}
