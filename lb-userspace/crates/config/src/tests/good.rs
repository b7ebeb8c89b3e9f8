//! Good configurations, and what they mean.

use std::{sync::Arc, time::Duration};

use lb_common::target::Mode;

use super::{
    super::{
        Config, Document, Gue, HealthCheck, HealthProtocol, HttpCheck, Icmp, Life, Listener,
        Matcher, Ports, Protocol, Target, TargetGroup, Tunnel, UdpFlows, Via, validate,
    },
    EXAMPLE, HTTP, MODES, SMALL, config, parse, with, without_via,
};

fn target(address: &str, port: u16, weight: u32) -> Target {
    Target { address: address.parse().unwrap(), port, weight, backup: false }
}

/// What the example means.
fn example() -> Config {
    Config {
        interfaces: vec!["eth0".to_owned()],
        tunnel: Tunnel {
            source_ipv4: "172.16.0.0/16".parse().unwrap(),
            source_ipv6: "100::/64".parse().unwrap(),
        },
        source_nat: None,
        icmp: Icmp { echo_reply: true, rate: 1000 },
        hash_seed: None,
        hash_seed_file: None,
        dns_servers: Vec::new(),
        on_event: Vec::new(),
        target_groups: vec![Arc::new(TargetGroup {
            name: "web".into(),
            protocol: Protocol::Tcp,
            port: 80,
            forwarding: Mode::Ipip,
            targets: vec![target("10.0.1.11", 80, 100), target("2001:db8::11", 80, 100)],
            names: Vec::new(),
            health_check: HealthCheck {
                protocol: HealthProtocol::Http(HttpCheck {
                    http2: false,
                    tls: None,
                    host: None,
                    path: "/healthz".to_owned(),
                    matcher: Matcher(vec![(200, 399)]),
                    body: None,
                    reports: Vec::new(),
                }),
                port: None,
                via: Via::Address,
                interval: Duration::from_secs(5),
                timeout: Duration::from_secs(2),
                healthy_threshold: 3,
                unhealthy_threshold: 2,
                inconclusive_timeout: Some(Duration::from_mins(5)),
            },
            life: Life::default(),
            gue: Gue { port: 6080, variant: 1 },
            tcp_mss: None,
            scaling: None,
        })],
        listeners: vec![Arc::new(Listener {
            name: "web".to_owned(),
            address: "203.0.113.10/32".parse().unwrap(),
            ports: Ports { first: 80, last: 80 },
            protocol: Protocol::Tcp,
            target_group: "web".to_owned(),
            sorry_target_group: None,
            idle_timeout: Duration::from_secs(350),
            udp_flows: UdpFlows::default(),
            allow_own_address: false,
        })],
        http_target_groups: Vec::new(),
        http_listeners: Vec::new(),
        tls_listeners: Vec::new(),
        tags: Arc::default(),
    }
}

#[test]
fn the_example() {
    let (document, config, warnings) = parse(EXAMPLE, "xelb.yaml").unwrap();
    assert_eq!(config, example());
    assert_eq!(without_via(&warnings), [""; 0]);
    assert_eq!(validate(&document).unwrap().0, config);
}

#[test]
fn missing_keys_have_their_defaults() {
    let mut expected = example();
    let group = Arc::make_mut(expected.target_groups.first_mut().unwrap());
    group.targets.pop();
    group.health_check.protocol = HealthProtocol::Tcp;
    assert_eq!(config(SMALL), expected);
}

/// The same in JSON, and as it is kept in the state directory and sent to the agent.
#[test]
fn json_means_the_same() {
    for text in [EXAMPLE, SMALL, MODES, HTTP] {
        let (document, config, _) = parse(text, "").unwrap();
        let json = serde_json::to_string_pretty(&document).unwrap();
        let again: Document = serde_json::from_str(&json).unwrap();
        assert_eq!(validate(&again).unwrap().0, config, "as a document");
        assert_eq!(serde_json::to_string_pretty(&again).unwrap(), json, "keys keep their order");
        assert_eq!(parse(&json, "xelb.json").unwrap().1, config, "as a file");
    }
}

/// One group, two listeners: it may not translate ports, but its targets may say their own.
#[test]
fn ports_families_and_modes() {
    let text =
        with(SMALL, "    port: 80\n    forwarding: ipip", "    port: 53\n    forwarding: l2dsr");
    let text = with(&text, "- address: 10.0.1.11", "- { address: 10.0.1.11, port: 80, weight: 0 }");
    let group = config(&text).target_groups.remove(0);
    assert_eq!((group.port, group.forwarding), (53, Mode::L2dsr));
    assert_eq!(group.targets, [target("10.0.1.11", 80, 0)]);

    let text = with(SMALL, "203.0.113.10", "2001:db8:ffff::1");
    let listener = config(&text).listeners.remove(0);
    assert_eq!(listener.address, "2001:db8:ffff::1/128".parse().unwrap());
}

#[test]
fn values_and_their_forms() {
    let check = |text: &str| {
        let text =
            with(SMALL, "    targets:", &format!("    health_check: {{ {text} }}\n    targets:"));
        config(&text).target_groups.remove(0).health_check.clone()
    };
    assert_eq!(check("port: 8080").port, Some(8080));
    // A short interval shortens the default timeout.
    let short = check("interval: 250ms");
    assert_eq!(
        (short.interval, short.timeout),
        (Duration::from_millis(250), Duration::from_millis(250))
    );
    assert_eq!(check("interval: 2m, timeout: 1m").interval, Duration::from_mins(2));
    for (matcher, expected) in [
        ("200", vec![(200, 200)]),
        ("\"204\"", vec![(204, 204)]),
        ("\"200,204, 300-399\"", vec![(200, 200), (204, 204), (300, 399)]),
    ] {
        let HealthProtocol::Http(http) =
            check(&format!("protocol: http, matcher: {matcher}")).protocol
        else {
            panic!("not http");
        };
        assert_eq!((http.path.as_str(), http.matcher), ("/", Matcher(expected)));
    }
    let seeded = config(&format!("hash_seed: \"0123456789abcdefFEDCBA9876543210\"\n{SMALL}"));
    assert_eq!(seeded.hash_seed, Some([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]));
    let tunnel = config(&format!(
        "tunnel: {{ source_ipv4: 10.0.0.0/8, source_ipv6: \"fd00::/112\" }}\n{SMALL}"
    ))
    .tunnel;
    assert_eq!(
        (tunnel.source_ipv4.to_string(), tunnel.source_ipv6.to_string()),
        ("10.0.0.0/8".to_owned(), "fd00::/112".to_owned())
    );
}

#[test]
fn udp_with_a_check_of_its_own() {
    let text = SMALL.replace("protocol: tcp", "protocol: udp");
    let text = with(
        &text,
        "    targets:",
        "    health_check: { protocol: tcp, port: 8080 }\n    targets:",
    );
    let config = config(&text);
    assert_eq!(config.target_groups[0].protocol, Protocol::Udp);
    assert_eq!(config.listeners[0].protocol, Protocol::Udp);
}

/// YAML's features for repeated content, and names that other programs read as booleans.
#[test]
fn anchors_merges_and_words() {
    let text =
        SMALL.replace("name: web", "name: on").replace("target_group: web", "target_group: on");
    assert_eq!(&*config(&text).target_groups[0].name, "on");
    let text = with(
        SMALL,
        "  - name: web\n    protocol: tcp\n    port: 80\n    forwarding",
        "  - name: other\n    protocol: tcp\n    port: 80\n    forwarding: ipip\n    health_check: &check { interval: 1s }\n  - name: web\n    protocol: tcp\n    port: 80\n    health_check: { <<: *check, timeout: 500ms }\n    forwarding",
    );
    let check = config(&text).target_groups.remove(1).health_check.clone();
    assert_eq!(
        (check.interval, check.timeout),
        (Duration::from_secs(1), Duration::from_millis(500))
    );
}

#[test]
fn nothing_to_balance_yet() {
    let config = config("interfaces: [eth0, eth1]\ntarget_groups:\nlisteners: []\n");
    assert_eq!(
        (config.interfaces.len(), config.target_groups.len(), config.listeners.len()),
        (2, 0, 0)
    );
}

#[test]
fn an_empty_group_is_warned_of() {
    let text = with(SMALL, "    targets:\n      - address: 10.0.1.11\n", "");
    let (_, _, warnings) = parse(&text, "").unwrap();
    assert_eq!(
        without_via(&warnings),
        ["line 3: target_groups[0]: target group web has no targets: its packets are dropped"]
    );
}

/// The yaml blocks of the manual: whole configurations.
#[test]
fn the_manual() {
    let manual = include_str!("../../../../../docs/configuration.md");
    let blocks: Vec<&str> =
        manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "{} yaml blocks", blocks.len());
    for block in blocks {
        config(block);
    }
}

#[test]
fn rings_must_fit_together() {
    let group = |number: usize| {
        format!(
            "- {{ name: g{number}, protocol: tcp, port: 80, forwarding: ipip, targets: [{{ address: \
             10.0.0.1 }}] }}\n"
        )
    };
    let listener = |number: usize| {
        let (high, low) = (number / 250, number % 250);
        format!(
            "- {{ name: l{number}, address: 203.0.{high}.{low}, port: 80, protocol: tcp, \
             default_action: {{ forward: {{ target_group: g{number} }} }} }}\n"
        )
    };
    let text = |count: usize| {
        let groups: Vec<String> = (1..=count).map(group).collect();
        let listeners: Vec<String> = (1..=count).map(listener).collect();
        let (groups, listeners) = (groups.concat(), listeners.concat());
        format!("interfaces: [eth0]\ntarget_groups:\n{groups}listeners:\n{listeners}")
    };
    parse(&text(1024), "").unwrap();
    let errors = parse(&text(1025), "").unwrap_err().to_string();
    let expected =
        "4198400 slots of their rings are more than the 4194304 that this version supports";
    assert!(errors.contains(expected), "{errors}");
}
