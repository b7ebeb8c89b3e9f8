//! Good listeners and target groups of HTTP, and what they mean.

use std::{cell::RefCell, time::Duration};

use lb_rules::{Action, Condition, Protocol};

use super::{
    super::{
        Algorithm, ClientAuth, CookieStickiness, Document, HealthProtocol, HttpGroupProtocol,
        HttpVersion, Limits, LogFormat, NamedFile, ProxyProtocol, RetryReason, TlsPolicy, Verify,
        parse_with_files, validate,
    },
    EXAMPLE, HTTP, config, parse, with, without_via,
};
use crate::{Checker, Config};

#[test]
fn groups_mean_what_they_say() {
    let config = config(HTTP);
    let [order, stock, chat, mail] = config.http_target_groups.as_slice() else {
        panic!("{:?}", config.http_target_groups);
    };
    assert_eq!((order.protocol, order.version), (HttpGroupProtocol::Http, HttpVersion::Http1));
    let targets: Vec<String> = order.targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["10.0.1.11:8080"]);
    let names: Vec<String> = order.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["order.example.org:8081"]);
    assert_eq!((order.targets[0].weight, order.names[0].weight), (100, 50));
    assert_eq!(order.algorithm, Algorithm::LeastOutstandingRequests);
    assert_eq!(order.stickiness, CookieStickiness::LbCookie(Duration::from_hours(24)));
    assert_eq!((order.retries.attempts, order.retries.budget_percent), (2, 10));
    let statuses = [502, 503].map(RetryReason::Status);
    assert_eq!(order.retries.on, [[RetryReason::ConnectFailure].as_slice(), &statuses].concat());
    assert_eq!((order.max_connections, order.proxy_protocol), (Some(100), ProxyProtocol::V2));
    assert!(
        matches!(&order.health_check.protocol, HealthProtocol::Http(check) if check.tls.is_none())
    );

    assert_eq!((stock.protocol, stock.version), (HttpGroupProtocol::Https, HttpVersion::Http2));
    let tls = stock.tls.as_ref().expect("https");
    assert_eq!(tls.server_name.as_deref(), Some("stock.example.org"));
    assert_eq!(tls.verify, Verify::File("/etc/xelb/ca.pem".into()));
    assert!(stock.anomaly_mitigation);
    assert_eq!(stock.slow_start, Duration::from_secs(30));
    // Probes verify as requests do.
    let HealthProtocol::Http(check) = &stock.health_check.protocol else { panic!("{stock:?}") };
    let check = check.tls.as_ref().expect("https");
    assert_eq!((&check.server_name, &check.verify), (&tls.server_name, &tls.verify));

    assert_eq!((chat.protocol, chat.version), (HttpGroupProtocol::Grpc, HttpVersion::Http2));
    assert_eq!(chat.tls, None);
    assert!(
        matches!(&chat.health_check.protocol, HealthProtocol::Grpc(check) if check.tls.is_none())
    );
    assert_eq!(chat.retries.on, [RetryReason::ConnectFailure, RetryReason::ReusedConnection]);

    // Of packets are only those with `forwarding`.
    assert_eq!((mail.protocol, &mail.tls), (HttpGroupProtocol::Tcp, &None));
    assert_eq!(mail.health_check.protocol, HealthProtocol::Tcp);
    assert!(config.target_groups.is_empty());
}

#[test]
fn listeners_mean_what_they_say() {
    let config = config(HTTP);
    let [shop, redirect] = config.http_listeners.as_slice() else {
        panic!("{:?}", config.http_listeners);
    };
    assert_eq!((shop.protocol(), redirect.protocol()), (Protocol::Https, Protocol::Http));
    let tls = shop.tls.as_ref().expect("https");
    assert_eq!(tls.policy, TlsPolicy::Modern);
    assert_eq!(
        tls.client_auth,
        ClientAuth::Verify { ca: "/etc/xelb/clients.pem".into(), crl: None }
    );
    assert_eq!(shop.attributes.idle_timeout, Duration::from_mins(2));
    assert!(shop.attributes.http2 && !redirect.attributes.http2);
    assert_eq!(shop.attributes.trusted_proxies, ["192.0.2.1/32".parse().unwrap()]);
    let names: Vec<&str> = shop.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["orders", "rule-20", "rule-30"]);
    assert_eq!(shop.rules[0].conditions.len(), 7);
    let networks = Condition::SourceIp(vec![
        "10.0.0.0/8".parse().unwrap(),
        "2001:db8::1/128".parse().unwrap(),
    ]);
    assert_eq!(shop.rules[0].conditions[5], networks);
    assert_eq!(shop.rule_set().unwrap().rules().len(), 3);
    let groups: Vec<&str> = shop.target_groups().collect();
    assert_eq!(groups, ["order", "stock", "chat", "order"]);
    assert!(matches!(&redirect.default_action, Action::Redirect(one) if one.status == 301));
    let [mail] = config.tls_listeners.as_slice() else { panic!("{:?}", config.tls_listeners) };
    assert_eq!((mail.target_group.as_str(), mail.port), ("mail", 465));
    assert_eq!(mail.idle_timeout, Duration::from_secs(350));
    assert!(mail.tls.alpn.is_empty() && mail.trusted_proxies.is_empty());
    assert_eq!(mail.access_log, None);
}

#[test]
fn a_listener_of_tls_may_say_more() {
    let text = with(
        HTTP,
        "    protocol: tls\n",
        "    protocol: tls\n    tls: { alpn: [h2, http/1.1], client_auth: verify, ca: /ca.pem, crl: /ca.crl }\n    attributes: { idle_timeout: 60s, trusted_proxies: [10.0.0.0/8], access_log: { file: /log, format: nlb }, connection_log: { file: /conn, format: alb } }\n",
    );
    let text = with(
        &text,
        "port: 25, targets",
        "port: 25, tls: { verify: none }, attributes: { proxy_protocol: v2, retries: { on: [connect_failure] } }, targets",
    );
    let config = config(&text);
    let mail = &config.tls_listeners[0];
    assert_eq!(mail.tls.alpn, ["h2", "http/1.1"]);
    let verify = ClientAuth::Verify { ca: "/ca.pem".into(), crl: Some("/ca.crl".into()) };
    assert_eq!(mail.tls.client_auth, verify);
    assert_eq!(mail.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(mail.access_log.as_ref().expect("a log").format, LogFormat::Nlb);
    assert_eq!(mail.connection_log.as_ref().expect("a log").format, LogFormat::Alb);
    let group = &config.http_target_groups[3];
    assert_eq!(group.proxy_protocol, ProxyProtocol::V2);
    assert_eq!(group.tls.as_ref().expect("TLS again").verify, Verify::None);
}

#[test]
fn what_the_proxy_serves_is_listed() {
    let http = config(HTTP);
    let found: Vec<&str> = http.proxied_listeners().collect();
    assert_eq!(found, ["shop", "redirect", "mail"]);
    assert_eq!(config(EXAMPLE).proxied_listeners().count(), 0);
    let use_of = Limits::use_of(&http);
    assert_eq!((use_of.listeners, use_of.target_groups, use_of.targets), (3, 4, 5));
}

/// The proxy gets a document that is valid by itself, and nothing of the data path.
#[test]
fn the_proxy_gets_its_part_of_a_document() {
    let both = format!(
        "{HTTP}  - {{ name: packets, address: 203.0.113.99, port: 25, protocol: tcp, default_action: \
         {{ forward: {{ target_group: relay }} }} }}\n"
    );
    let both = with(
        &both,
        "listeners:\n",
        "  - { name: relay, protocol: tcp, port: 25, forwarding: ipip, targets: [{ address: 10.0.2.9 }] }\nlisteners:\n",
    );
    let (whole, config, _) = parse(&both, "x").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.listeners.len(), 1);
    let part = whole.for_proxy(&config).unwrap();
    let (proxied, _) = validate(&part).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(proxied.http_listeners, config.http_listeners);
    assert_eq!(proxied.tls_listeners, config.tls_listeners);
    assert_eq!((proxied.listeners.len(), proxied.target_groups.len()), (0, 0));
    let names = |config: &Config| -> Vec<String> {
        config.http_target_groups.iter().map(|group| group.name.to_string()).collect()
    };
    assert_eq!(names(&proxied), names(&config));
    let text = serde_json::to_string(&part).unwrap();
    assert!(!text.contains("health_check") && !text.contains("packets"), "{text}");
    let key = "    attributes: { anomaly_mitigation: on";
    let other_check = both.replace(key, &format!("    health_check: {{ interval: 7s }}\n{key}"));
    assert_ne!(other_check, both);
    let (other, checked, _) = parse(&other_check, "x").unwrap();
    let other = other.for_proxy(&checked).unwrap();
    assert_eq!(serde_json::to_string(&other).unwrap(), text, "checks are the agent's");
    let (packets, config, _) = parse(EXAMPLE, "x").unwrap();
    assert!(packets.for_proxy(&config).is_none());
}

#[test]
fn named_files_are_asked_for_once() {
    let asked = RefCell::new(Vec::new());
    let check = |file: &NamedFile| {
        asked.borrow_mut().push(file.clone());
        match file {
            NamedFile::Key(path) if path.ends_with("shop.key") => Err("is no key".to_owned()),
            _ => Ok(()),
        }
    };
    let errors = parse_with_files(HTTP, "x", &Limits::MOST, &check).unwrap_err();
    assert_eq!(errors.to_string(), "x:30:60: listeners[0].certificates[0].key: is no key");
    let file = |kind: fn(std::path::PathBuf) -> NamedFile, name: &str| {
        kind(format!("/etc/xelb/{name}").into())
    };
    let expected = [
        file(NamedFile::Authorities, "ca.pem"),
        file(NamedFile::Certificate, "shop.pem"),
        file(NamedFile::Key, "shop.key"),
        file(NamedFile::Authorities, "clients.pem"),
        file(NamedFile::Certificate, "mail.pem"),
        file(NamedFile::Key, "mail.key"),
    ];
    assert_eq!(asked.into_inner(), expected);
}

/// A change of one target costs the reading of its group; the rest is what it was.
#[test]
fn what_did_not_change_is_not_read_again() {
    let mut checker = Checker::within(Limits::MOST);
    let (mut document, ..) = parse(HTTP, "").unwrap();
    let first = checker.check(&document).unwrap().0;
    document.add_target("mail", &"10.0.2.2".parse().unwrap(), None, None).unwrap();
    document.add_target("order", &"10.0.1.12".parse().unwrap(), None, Some(7)).unwrap();
    let second = checker.check(&document).unwrap().0;
    let whole = validate(&document).unwrap().0;
    assert_eq!(second, whole);
    assert_eq!(second.http_target_groups[0].targets.len(), 2);
    assert_eq!(second.http_target_groups[3].targets.len(), 2);
    let same = |one: usize| {
        std::sync::Arc::ptr_eq(&first.http_listeners[one], &second.http_listeners[one])
    };
    assert!(same(0) && same(1));
    assert!(std::sync::Arc::ptr_eq(&first.tls_listeners[0], &second.tls_listeners[0]));
    assert!(std::sync::Arc::ptr_eq(&first.http_target_groups[1], &second.http_target_groups[1]));
    assert!(!std::sync::Arc::ptr_eq(&first.http_target_groups[0], &second.http_target_groups[0]));
    let again: Document = serde_json::from_str(&serde_json::to_string(&document).unwrap()).unwrap();
    assert_eq!(validate(&again).unwrap().0, whole);
}

#[test]
fn what_works_but_not_as_one_may_think() {
    let later = "      - priority: 20\n        conditions: [{ path_regex";
    let shadowed = format!(
        "      - {{ name: late, priority: 15, conditions: [{{ path: [/down/x] }}], action: {{ forward: {{ target_group: order }} }} }}\n      - {{ name: all, priority: 11, conditions: [{{ path: [\"/down*\"] }}], action: {{ forward: {{ target_group: order }} }} }}\n{later}"
    );
    for (old, new, expected) in [
        (
            later,
            shadowed.as_str(),
            "line 51: listeners[0].rules[1]: rule late never matches: rule all (priority 11) matches all that it would; change their priorities, or remove it\n\
             line 56: listeners[0].rules[4]: rule rule-30 never matches: rule all (priority 11) matches all that it would; change their priorities, or remove it",
        ),
        (
            "    targets: [{ address: 127.0.0.1 }]\n",
            "",
            "line 13: target_groups[1]: target group stock has no targets: requests to it get status 503",
        ),
        (
            "{ address: 127.0.0.1 }",
            "{ address: 127.0.0.1, weight: 0 }",
            "line 13: target_groups[1]: all targets of stock have weight 0: requests to it get status 503",
        ),
        (
            "slow_start: 30s",
            "minimum_healthy_targets: { count: 2 }",
            "line 13: target_groups[1]: minimum_healthy_targets of stock is 2, and it has 1 targets: unhealthy targets are always used",
        ),
    ] {
        let (.., warnings) =
            parse(&with(HTTP, old, new), "x").unwrap_or_else(|error| panic!("{error}"));
        let warnings = without_via(&warnings);
        assert_eq!(warnings.join("\n"), expected);
    }
}
