//! Adding, removing and weighing targets.

use std::net::IpAddr;

use super::BASE;
use crate::config::{Document, EditError, parse, validate};

fn document() -> Document {
    parse(BASE, "").unwrap().0
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Targets of the first group as `address:port weight`.
fn targets(document: &Document) -> Vec<String> {
    let (config, _) = validate(document).unwrap();
    let targets = &config.target_groups[0].targets;
    targets.iter().map(|t| format!("{} {} {}", t.address, t.port, t.weight)).collect()
}

#[test]
fn targets_are_added_removed_and_weighed() {
    let mut document = document();
    document.add_target("web", ip("10.0.1.12"), None, None).unwrap();
    document.add_target("web", ip("10.0.1.13"), Some(80), Some(7)).unwrap();
    document.weigh_target("web", ip("2001:db8:0::11"), None, 51).unwrap();
    document.remove_target("web", ip("10.0.1.11"), Some(80)).unwrap();
    assert_eq!(targets(&document), ["2001:db8::11 80 51", "10.0.1.12 80 100", "10.0.1.13 80 7"]);
}

#[test]
fn what_is_not_there_is_named() {
    let mut document = document();
    let errors = [
        document.add_target("wbe", ip("10.0.1.12"), None, None),
        document.add_target("web", ip("10.0.1.11"), Some(80), None),
        document.remove_target("web", ip("10.0.1.99"), None),
        document.weigh_target("web", ip("10.0.1.11"), Some(81), 1),
    ];
    let said: Vec<String> =
        errors.into_iter().map(|error| error.unwrap_err().to_string()).collect();
    assert_eq!(
        said,
        [
            "there is no target group wbe (there are web, dns)",
            "target group web has 10.0.1.11:80 already; `xelb target weight` changes its weight",
            "target group web has no target 10.0.1.99; `xelb get targets` lists them",
            "target group web has no target 10.0.1.11:81; `xelb get targets` lists them",
        ]
    );
    let error = Document::default().remove_target("web", ip("10.0.1.1"), None).unwrap_err();
    assert_eq!(error.to_string(), "there is no target group web (there are none)");
}

#[test]
fn an_address_on_two_ports_needs_its_port() {
    let mut document = document();
    document.add_target("web", ip("10.0.1.11"), Some(81), None).unwrap();
    let error = document.remove_target("web", ip("10.0.1.11"), None).unwrap_err();
    assert!(matches!(error, EditError::Ambiguous { .. }));
    document.remove_target("web", ip("10.0.1.11"), Some(81)).unwrap();
    assert_eq!(targets(&document).len(), 2);
}

#[test]
fn a_group_without_a_list_gets_one() {
    let text = "interfaces: [eth0]\ntarget_groups: [{ name: g, protocol: tcp, port: 1, forwarding: \
                ipip }]\n";
    let mut document = parse(text, "").unwrap().0;
    document.add_target("g", ip("10.0.0.1"), None, None).unwrap();
    assert_eq!(targets(&document), ["10.0.0.1 1 100"]);
}
