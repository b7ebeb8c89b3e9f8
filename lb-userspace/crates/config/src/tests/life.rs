//! How targets come and go: attributes that say it, and what is wrong with them.

use std::time::Duration;

use super::{EXAMPLE, parse, without_via};
use crate::{Life, MinimumHealthy, Protocol, Stickiness, UdpFlows};

const ALL: &str = "deregistration_delay: 0s
      slow_start: 30s
      stickiness: source_ip
      unhealthy_draining_interval: 10m
      minimum_healthy_targets: { count: 2, percentage: 50 }
      backup_threshold: 2
      quorum: 1";

fn with(attributes: &str) -> String {
    let before = "deregistration_delay: 300s\n      slow_start: 0s\n      stickiness: none";
    assert!(EXAMPLE.contains(before));
    EXAMPLE.replace(before, attributes)
}

#[test]
fn every_attribute_is_read() {
    let (_, config, warnings) = parse(&with(ALL), "xelb.yaml").unwrap();
    let texts = without_via(&warnings);
    assert_eq!(
        texts,
        ["line 3: target_groups[0]: backup_threshold of web does nothing: it has no backup \
                        targets"]
    );
    assert_eq!(
        config.target_groups[0].life,
        Life {
            deregistration_delay: Duration::ZERO,
            slow_start: Duration::from_secs(30),
            stickiness: Stickiness::SourceIp,
            connection_termination: false,
            unhealthy_draining_interval: Duration::from_mins(10),
            minimum_healthy: MinimumHealthy { count: 2, percentage: Some(50) },
            backup_threshold: 2,
            quorum: 1,
        }
    );
    let (_, config, _) = parse(&with("connection_termination: true"), "xelb.yaml").unwrap();
    let life = config.target_groups[0].life;
    assert_eq!(life, Life { connection_termination: true, ..Life::default() });
}

#[test]
fn more_healthy_targets_than_there_are_is_worth_a_warning() {
    let text = with("minimum_healthy_targets: { count: 3 }");
    let (_, _, warnings) = parse(&text, "xelb.yaml").unwrap();
    assert_eq!(
        without_via(&warnings),
        ["line 3: target_groups[0]: minimum_healthy_targets of web is 3, and it has 2 targets: \
          unhealthy targets are always used"]
    );
}

/// Attributes and their messages.
const WRONG: &[(&str, &str)] = &[
    (
        "slow_start: 29s",
        "~:20:19: target_groups[0].attributes.slow_start: 29s is neither 0s nor from 30s to 900s, such as `90s`",
    ),
    (
        "slow_start: 16m",
        "~:20:19: target_groups[0].attributes.slow_start: `16m` is not a duration of whole seconds from 0s to 900s, such as `90s` or `2m`",
    ),
    (
        "deregistration_delay: 1500ms",
        "~:20:29: target_groups[0].attributes.deregistration_delay: `1500ms` is not a duration of whole seconds from 0s to 3600s, such as `90s` or `2m`",
    ),
    (
        "unhealthy_draining_interval: 101h",
        "~:20:36: target_groups[0].attributes.unhealthy_draining_interval: `101h` is not a duration of whole seconds from 0s to 360000s, such as `90s` or `2m`",
    ),
    (
        "connection_termination: true\n      unhealthy_draining_interval: 10s",
        "~:21:36: target_groups[0].attributes.unhealthy_draining_interval: contradicts `connection_termination: true`: flows of an unhealthy target either end at once or are kept for a while; remove one of the two",
    ),
    (
        "connection_termination: sometimes",
        "~:20:31: target_groups[0].attributes.connection_termination: `sometimes` is not true or false",
    ),
    (
        "minimum_healthy_targets: 2",
        "~:20:32: target_groups[0].attributes.minimum_healthy_targets: must be a section with keys, not a number",
    ),
    (
        "minimum_healthy_targets: { count: 0 }",
        "~:20:41: target_groups[0].attributes.minimum_healthy_targets.count: 0 is not a whole number from 1 to 16383",
    ),
    (
        "minimum_healthy_targets: { percentage: 101 }",
        "~:20:46: target_groups[0].attributes.minimum_healthy_targets.percentage: 101 is not a whole number from 1 to 100",
    ),
    (
        "minimum_healthy_targets: { percent: 10 }",
        "~:20:34: target_groups[0].attributes.minimum_healthy_targets.percent: unknown key; did you mean `percentage`?",
    ),
];

#[test]
fn what_is_wrong_is_said() {
    for (attributes, expected) in WRONG {
        let error = parse(&with(attributes), "~").unwrap_err();
        assert_eq!(error.to_string(), *expected, "{attributes}");
    }
}

/// A group without TCP, and its listener.
fn datagrams(protocol: &str, forwarding: &str, attributes: &str, of_listener: &str) -> String {
    format!(
        "interfaces: [eth0]
source_nat: {{ addresses: [10.0.0.2] }}
target_groups:
  - name: dns
    protocol: {protocol}
    port: 53
    forwarding: {forwarding}
    targets: [{{ address: 10.0.1.11 }}]
    health_check: {{ protocol: tcp }}
    attributes: {{ {attributes} }}
listeners:
  - name: dns
    address: 203.0.113.10
    port: 53
    protocol: {protocol}
    attributes: {{ {of_listener} }}
    default_action: {{ forward: {{ target_group: dns }} }}
"
    )
}

#[test]
fn udp_flows_are_tracked_by_default() {
    for (protocol, attributes, expected) in [
        ("udp", "", (Protocol::Udp, UdpFlows::Tracked)),
        ("udp", "udp_flows: tracked", (Protocol::Udp, UdpFlows::Tracked)),
        ("udp", "udp_flows: stateless", (Protocol::Udp, UdpFlows::Stateless)),
        ("quic", "idle_timeout: 30s", (Protocol::Quic, UdpFlows::Tracked)),
    ] {
        let text = datagrams(protocol, "ipip", "", attributes).replace("source_nat", "#source_nat");
        let (_, config, _) = parse(&text, "xelb.yaml").unwrap();
        let listener = &config.listeners[0];
        assert_eq!((listener.protocol, listener.udp_flows), expected, "{attributes}");
    }
}

#[test]
fn keys_of_another_protocol_or_mode_are_refused() {
    for (text, expected) in [
        (
            datagrams("quic", "ipip", "", "udp_flows: tracked")
                .replace("source_nat", "#source_nat"),
            "~:16:30: listeners[0].attributes.udp_flows: belongs to `protocol: udp`; this listener is quic",
        ),
        (
            datagrams("udp", "ipip", "", "udp_flows: maybe").replace("source_nat", "#source_nat"),
            "~:16:30: listeners[0].attributes.udp_flows: `maybe` is not tracked or stateless",
        ),
        (
            datagrams("udp", "ipip", "connection_termination: true", "")
                .replace("source_nat", "#source_nat"),
            "~:10:43: target_groups[0].attributes.connection_termination: belongs to `protocol: tcp`; this group is udp",
        ),
        (
            datagrams("tcp", "fullnat", "connection_termination: true", ""),
            "~:10:43: target_groups[0].attributes.connection_termination: belongs to ipip, gue \
             and l2dsr; this group is fullnat, where another target gets the flow of a removed \
             target and resets it",
        ),
        (
            datagrams("quic", "ipip", "tcp_mss: 1400", "").replace("source_nat", "#source_nat"),
            "~:10:28: target_groups[0].attributes.tcp_mss: belongs to `protocol: tcp`; this group is quic",
        ),
    ] {
        assert_eq!(parse(&text, "~").unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn udp_and_quic_cannot_share_a_port() {
    let text = datagrams("udp", "ipip", "", "").replace("source_nat", "#source_nat");
    let more = text
        .replace(
            "listeners:\n",
            "  - { name: web, protocol: quic, port: 53, forwarding: ipip, health_check: { protocol: tcp } }\nlisteners:\n",
        )
        + "  - name: web
    address: 203.0.113.10
    port: 53
    protocol: quic
    default_action: { forward: { target_group: web } }
";
    assert_eq!(
        parse(&more, "~").unwrap_err().to_string(),
        "~:19:5: listeners[1]: quic 203.0.113.10:53 of listener web is taken already"
    );
}
