//! Wrong source addresses of fullnat, with the exact message of each.

use super::{MODES, check_changes, errors, parse, with};

const CHANGED: &[(&str, &str, &str)] = &[
    (
        "source_nat: { addresses: [10.0.0.2, \"fd00::2\"], ports: 2000-60000 }",
        "source_nat:",
        "~:20:17: target_groups[2].forwarding: fullnat needs source addresses for packets to \
         targets; for example `source_nat: { addresses: [10.0.0.2] }` at the top level",
    ),
    (
        "[10.0.0.2, \"fd00::2\"]",
        "[\"fd00::2\"]",
        "~:20:17: target_groups[2].forwarding: target group far has IPv4 targets, and `source_nat` has no IPv4 address; add one",
    ),
    (
        "[10.0.0.2, \"fd00::2\"]",
        "[]",
        "~:2:26: source_nat.addresses: is empty; name at least one address",
    ),
    (
        "[10.0.0.2, \"fd00::2\"]",
        "10.0.0.2",
        "~:2:26: source_nat.addresses: must be a list, not a text",
    ),
    (
        "addresses: [10.0.0.2, \"fd00::2\"], ",
        "",
        "~:2:13: source_nat: `addresses` is missing; for example `addresses: [10.0.0.2]`",
    ),
    (
        "{ addresses: [10.0.0.2, \"fd00::2\"], ports: 2000-60000 }",
        "10.0.0.2",
        "~:2:13: source_nat: must be a section with keys, not a text",
    ),
    (
        "\"fd00::2\"]",
        "10.0.0.2]",
        "~:2:37: source_nat.addresses[1]: source address 10.0.0.2 is named twice",
    ),
    (
        "\"fd00::2\"]",
        "224.0.0.1]",
        "~:2:37: source_nat.addresses[1]: 224.0.0.1 is a multicast address",
    ),
    (
        "\"fd00::2\"]",
        "203.0.113.9]",
        "~:2:37: source_nat.addresses[1]: 203.0.113.9 belongs to listener prefix; use an address \
         that only the balancer has",
    ),
    (
        "\"fd00::2\"]",
        "203.0.113.3]",
        "~:2:37: source_nat.addresses[1]: 203.0.113.3 belongs to listener inside; use an address \
         that only the balancer has",
    ),
    (
        "\"fd00::2\"]",
        "10.0.1.11]",
        "~:2:37: source_nat.addresses[1]: 10.0.1.11 belongs to a target of group tunnel; use an \
         address that only the balancer has",
    ),
    (
        "2000-60000",
        "2000-2998",
        "~:2:56: source_nat.ports: the pool is too small: 2000-2998 gives each address 999 ports, and every flow to a target needs one; name at least 1000",
    ),
    (
        "2000-60000",
        "1023-60000",
        "~:2:56: source_nat.ports: 1023-60000 begins below 1024: lower ports are reserved for \
         servers; begin at 1024",
    ),
    (
        "2000-60000",
        "1-65535",
        "~:2:56: source_nat.ports: 1-65535 begins below 1024: lower ports are reserved for \
         servers; begin at 1024",
    ),
    (
        "2000-60000",
        "60000-2000",
        "~:2:56: source_nat.ports: `60000-2000` ends before it begins; write 2000-60000",
    ),
    (
        "2000-60000",
        "2000-65536",
        "~:2:56: source_nat.ports: `2000-65536` is not a range of ports such as 1024-65535, from 1 to 65535",
    ),
    (
        "2000-60000",
        "2000",
        "~:2:56: source_nat.ports: 2000 is not a range of ports such as 1024-65535",
    ),
    (
        "ports: 2000-60000",
        "port: 2000-60000",
        "~:2:49: source_nat.port: unknown key; did you mean `ports`?",
    ),
];

#[test]
fn each_change_of_the_modes() {
    check_changes(MODES, CHANGED);
}

/// A thousand ports are enough, and sixteen addresses are accepted; a seventeenth is an error.
#[test]
fn sizes() {
    let addresses = |count: usize| {
        let all: Vec<String> = (1..=count).map(|last| format!("10.9.0.{last}")).collect();
        with(MODES, "10.0.0.2, \"fd00::2\"", &all.join(", "))
    };
    parse(&addresses(16), "").unwrap();
    assert_eq!(
        errors(&addresses(17)),
        "xelb.yaml:2:26: source_nat.addresses: 17 addresses are more than the maximum of 16"
    );
    parse(&with(MODES, "2000-60000", "64536-65535"), "").unwrap();
}

/// A source that could not be read may be the one that a group needs.
#[test]
fn an_error_has_no_followers() {
    assert_eq!(
        errors(&with(MODES, "[10.0.0.2, \"fd00::2\"]", "[10.0.0.256]")),
        "xelb.yaml:2:27: source_nat.addresses[0]: `10.0.0.256` is not an IPv4 or IPv6 address, such as 10.0.1.11 or \"2001:db8::11\""
    );
}

/// A group that waits for its first targets says at once what they will need.
#[test]
fn a_group_without_targets_needs_a_source() {
    let text = with(
        MODES,
        "    targets: [{ address: 192.0.2.1, port: 81 }, { address: 192.0.2.1 }]\n",
        "",
    );
    parse(&text, "").unwrap();
    let source = "source_nat: { addresses: [10.0.0.2, \"fd00::2\"], ports: 2000-60000 }\n";
    let messages = errors(&with(&text, source, ""));
    assert!(
        messages.starts_with("xelb.yaml:19:17: target_groups[2].forwarding: fullnat needs"),
        "{messages}"
    );
}
