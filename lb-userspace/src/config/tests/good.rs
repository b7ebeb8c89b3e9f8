//! Good configurations and what becomes of them.

use std::time::Duration;

use lb_common::target::Mode;

use super::{BASE, read};
use crate::config::{HealthProtocol, Matcher, Protocol, parse, validate};

#[test]
fn everything_is_read() {
    let (config, warnings) = read(BASE).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.interfaces, ["eth0"]);
    let web = &config.target_groups[0];
    assert_eq!((web.name.as_str(), web.port, web.forwarding), ("web", 80, Mode::Ipip));
    let targets: Vec<(String, u16, u32)> =
        web.targets.iter().map(|t| (t.address.to_string(), t.port, t.weight)).collect();
    assert_eq!(targets, [("10.0.1.11".to_owned(), 80, 100), ("2001:db8::11".to_owned(), 80, 50)]);
    let check = &web.health_check;
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
    assert_eq!((check.healthy_threshold, check.unhealthy_threshold, check.port), (3, 2, None));
    let expected =
        HealthProtocol::Http { path: "/healthz".to_owned(), matcher: Matcher(vec![(200, 399)]) };
    assert_eq!(check.protocol, expected);
    let dns = &config.target_groups[1];
    assert_eq!((dns.protocol, dns.forwarding), (Protocol::Udp, Mode::L2dsr));
    assert_eq!(dns.targets[0].weight, 100);
    assert_eq!(config.listeners[1].target_group, "dns");
}

#[test]
fn json_gives_the_same_and_so_does_the_document() {
    let (document, config, _) = parse(BASE, "xelb.yaml").unwrap();
    let json = serde_json::to_string_pretty(&document).unwrap();
    let (_, from_json, _) = parse(&json, "xelb.json").unwrap();
    assert_eq!(from_json, config);
    let again = serde_json::from_str(&json).unwrap();
    assert_eq!(validate(&again).unwrap().0, config);
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let text = "interfaces: [eth0]\ntarget_groups:\n- { name: g, protocol: tcp, port: 1, \
                forwarding: ipip, health_check: { protocol: http } }\n";
    let (config, warnings) = read(text).unwrap();
    let check = &config.target_groups[0].health_check;
    let expected =
        HealthProtocol::Http { path: "/".to_owned(), matcher: Matcher(vec![(200, 399)]) };
    assert_eq!(check.protocol, expected);
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
    assert_eq!(config.tunnel.source_ipv4.to_string(), "172.16.0.0/16");
    assert_eq!(config.tunnel.source_ipv6.to_string(), "100::/64");
    assert_eq!(config.hash_seed, None);
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let expected =
        "line 3: target_groups[0]: target group g has no targets: its packets are dropped";
    assert_eq!(said, [expected]);
}

#[test]
fn a_short_interval_shortens_the_default_timeout() {
    let text = BASE.replace("interval: 5s", "interval: 500ms").replace("      timeout: 2s\n", "");
    let check = read(&text).unwrap().0.target_groups[0].health_check.clone();
    assert_eq!(check.timeout, Duration::from_millis(500));
}

#[test]
fn what_has_no_effect_is_said() {
    for (old, new, warning) in [
        (
            "      slow_start: 0s",
            "      deregistration_delay: 60s",
            "line 21: target_groups[0].attributes.deregistration_delay: has no effect in this \
             version: a target that is removed leaves at once; drain it first",
        ),
        (
            "      - { address: 10.0.1.21 }",
            "      - { address: 10.0.1.21, weight: 0 }",
            "line 23: target_groups[1]: all targets of dns have weight 0: none gets traffic",
        ),
    ] {
        let (_, warnings) = read(&BASE.replace(old, new)).unwrap();
        let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(said, [warning]);
    }
}

#[test]
fn matchers_and_seeds_are_read() {
    for (text, ranges) in [
        ("200", vec![(200, 200)]),
        ("\"200,204, 300-399\"", vec![(200, 200), (204, 204), (300, 399)]),
    ] {
        let (config, _) = read(&BASE.replace("\"200-399\"", text)).unwrap();
        let HealthProtocol::Http { matcher, .. } = &config.target_groups[0].health_check.protocol
        else {
            panic!("an http check")
        };
        assert_eq!(matcher.0, ranges);
    }
    let seeded = format!("hash_seed: \"000102030405060708090a0b0c0d0e0f\"\n{BASE}");
    let seed = read(&seeded).unwrap().0.hash_seed;
    assert_eq!(seed, Some([0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f]));
}

#[test]
fn examples_of_the_documentation_are_good() {
    let pages =
        [include_str!("../../../../docs/configuration.md"), include_str!("../../../../README.md")];
    let mut examples = 0;
    for page in pages {
        for block in page.split("```yaml\n").skip(1) {
            let example = block.split("```").next().unwrap();
            if let Err(errors) = read(example) {
                panic!("{errors}\n{example}");
            }
            examples += 1;
        }
    }
    assert!(examples >= 3, "{examples} examples");
}
