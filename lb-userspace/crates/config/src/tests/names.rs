//! DNS names among the targets: what is read, what is refused, edits, and what a proxy gets.

use std::sync::Arc;

use super::{
    super::{Document, Edit, HttpTarget, Limits, TargetAddress, validate},
    parse, without_via,
};

fn text(groups: &str, more: &str) -> String {
    format!("interfaces: [eth0]\ntarget_groups:\n{groups}{more}")
}

fn packets(targets: &str) -> String {
    format!(
        "  - {{ name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{targets}] }}\n"
    )
}

fn requests(protocol: &str, more: &str, targets: &str) -> String {
    format!("  - {{ name: web, protocol: {protocol}, port: 80, {more}targets: [{targets}] }}\n")
}

const NAMES: &str = "{ address: 10.0.1.1 }, { address: A.Example.org., weight: 7, tags: { rack: r1 } }, \
                     { address: a.example.org, port: 81 }, { address: localhost }";

#[test]
fn names_stand_apart_from_addresses() {
    let shown = |names: &[super::super::NamedTarget]| -> Vec<String> {
        names.iter().map(|one| format!("{one}*{}", one.weight)).collect()
    };
    let expected = ["a.example.org:80*7", "a.example.org:81*100", "localhost:80*100"];
    let (_, config, _) = parse(&text(&packets(NAMES), ""), "x").unwrap();
    let group = &config.target_groups[0];
    assert_eq!(
        (group.targets.len(), shown(&group.names)),
        (1, expected.map(str::to_owned).to_vec())
    );
    let tags = &config.tags.target_groups["web"];
    assert_eq!(tags.names[&("a.example.org".into(), 80)]["rack"], "r1");
    let (_, config, _) = parse(&text(&requests("http", "", NAMES), ""), "x").unwrap();
    let group = &config.http_target_groups[0];
    assert_eq!(
        (group.targets.len(), shown(&group.names)),
        (1, expected.map(str::to_owned).to_vec())
    );
    assert_eq!(Limits::use_of(&config).targets, 4);
    let (backup, ..) =
        (parse(&text(&packets("{ address: a.example.org, backup: true }"), ""), "x").unwrap().1,);
    assert!(backup.target_groups[0].names[0].backup);
}

#[test]
fn what_is_wrong_with_names() {
    let listener = "listeners: [{ name: web, address: 203.0.113.1, port: 80, protocol: tcp, \
                    default_action: { forward: { target_group: web } } }]\n";
    let other_ca = "tls: { verify: none }, ";
    for (text, expected) in [
        (
            text(&packets("{ address: a.example.org }, { address: A.example.org }"), ""),
            "target a.example.org:80 is in the group web twice",
        ),
        (
            text(&packets("{ address: a..example.org }"), ""),
            "`a..example.org` is not an address or a DNS name, such as 10.0.1.11 or order.example.org",
        ),
        (
            text(&packets("{ address: 10.0.1.300 }"), ""),
            "`10.0.1.300` is not an address or a DNS name",
        ),
        (
            text(&packets("{ address: a.example.org, port: 81 }"), listener),
            "port 81 is not port 80 of listener web: forwarding ipip cannot translate ports",
        ),
        (
            text(&requests("https", "", "{ address: a.example.org }, { address: 10.0.0.1 }"), ""),
            "target group web has a DNS name and other targets, and this version verifies all \
             certificates of a group by one name: set `tls.server_name`",
        ),
        (
            text(
                &requests(
                    "https",
                    other_ca,
                    "{ address: a.example.org }, { address: b.example.org }",
                ),
                "",
            ),
            "",
        ),
        (
            text(
                &requests(
                    "https",
                    "",
                    "{ address: a.example.org }, { address: a.example.org, port: 81 }",
                ),
                "",
            ),
            "",
        ),
        (text("", "resolver: { servers: [10.0.0.53, \"[2001:db8::53]:5353\"] }\n"), ""),
        (
            text("", "resolver: { servers: [10.0.0.53, \"10.0.0.53:53\"] }\n"),
            "resolver.servers[1]: server 10.0.0.53:53 is named twice",
        ),
        (
            text("", "resolver: { servers: [dns.example.org] }\n"),
            "`dns.example.org` is not the address of a DNS server, such as 10.0.0.53 or",
        ),
        (
            text("", "resolver: { server: 10.0.0.53 }\n"),
            "resolver.server: unknown key; did you mean `servers`?",
        ),
    ] {
        let said = parse(&text, "x").map_or_else(|errors| errors.to_string(), |_| String::new());
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{text}: {said}"
        );
    }
}

#[test]
fn servers_have_port_53_and_names_count_as_targets() {
    let (_, config, _) = parse(&text("", "resolver: { servers: [10.0.0.53] }\n"), "x").unwrap();
    assert_eq!(config.dns_servers, ["10.0.0.53:53".parse().unwrap()]);
    let warned = |targets: &str| {
        without_via(&parse(&text(&packets(targets), ""), "x").unwrap().2).join("; ")
    };
    assert_eq!(warned("{ address: a.example.org }"), "", "it has targets");
    let zero = "{ address: a.example.org, weight: 0 }, { address: 10.0.0.1, weight: 0 }";
    assert!(warned(zero).contains("all targets of web have weight 0"), "{}", warned(zero));
}

#[test]
fn names_are_added_changed_and_removed() {
    let mut document = parse(&text(&packets("{ address: 10.0.1.1 }"), ""), "x").unwrap().0;
    let at = |text: &str| text.parse::<TargetAddress>().unwrap();
    let mut shown = |edit: Edit| {
        edit.apply(&mut document).map_err(|error| error.to_string())?;
        let names = validate(&document).unwrap().0.target_groups[0].names.clone();
        let names: Vec<String> = names.iter().map(|one| format!("{one}*{}", one.weight)).collect();
        Ok::<String, String>(names.join(" "))
    };
    let (group, address) = (|| "web".to_owned(), at("Order.example.org"));
    let add = Edit::AddTarget {
        group: group(),
        address: address.clone(),
        port: Some(80),
        weight: Some(5),
    };
    let stored = serde_json::to_value(&add).unwrap();
    assert_eq!(stored["address"], "order.example.org");
    assert_eq!(serde_json::from_value::<Edit>(stored).unwrap(), add);
    assert_eq!(shown(add.clone()).unwrap(), "order.example.org:80*5");
    assert!(shown(add).unwrap_err().contains("has order.example.org:80 already"));
    let weigh =
        Edit::WeighTarget { group: group(), address: address.clone(), port: None, weight: 9 };
    assert_eq!(shown(weigh).unwrap(), "order.example.org:80*9");
    let remove = Edit::RemoveTarget { group: group(), address, port: Some(80) };
    assert_eq!(shown(remove.clone()).unwrap(), "");
    assert!(shown(remove).unwrap_err().contains("has no target order.example.org:80"));
}

#[test]
fn names_of_a_document_are_found_without_its_check() {
    let wrong = text(&packets("{ address: a.example.org }, { address: 10.0.0.1 }"), "wrong: key\n");
    let document: Document = serde_json::from_value(serde_json::json!({
        "target_groups": [{ "targets": [{ "address": "b.example.org" }, { "address": 7 }] }],
        "resolver": { "servers": ["10.0.0.53:5353", "x"] },
    }))
    .unwrap();
    assert_eq!(document.target_names(), [Arc::from("b.example.org")].into());
    assert_eq!(document.dns_servers(), ["10.0.0.53:5353".parse().unwrap()]);
    assert!(parse(&wrong, "x").is_err());
}

/// The proxy gets addresses, and the name as that of its targets' certificates.
#[test]
fn a_proxy_gets_addresses_in_place_of_names() {
    let listener = "listeners: [{ name: web, address: 203.0.113.1, port: 80, protocol: http, \
                    default_action: { forward: { target_group: web } } }]\n";
    let targets = "{ address: a.example.org, weight: 5 }";
    let (document, mut config, _) =
        parse(&text(&requests("https", "", targets), listener), "x").unwrap();
    let group = Arc::make_mut(&mut config.http_target_groups[0]);
    group.targets.push(HttpTarget { address: [10, 0, 0, 1].into(), port: 80, weight: 5 });
    group.tls.as_mut().unwrap().server_name = Some("a.example.org".to_owned());
    let seen = validate(&document.for_proxy(&config).unwrap()).unwrap().0;
    let seen = &seen.http_target_groups[0];
    assert!(seen.names.is_empty());
    assert_eq!(seen.targets, config.http_target_groups[0].targets);
    assert_eq!(seen.tls, config.http_target_groups[0].tls);
}
